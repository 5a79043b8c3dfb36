# The claims of the paper, each decided by a rule from the cells that figures and tables show.


rule claims:
    input:
        expand(
            "results/{scale}/tables/claims.{format}",
            scale=SCALE,
            format=["md", "html"] if SHOWING else [],
        ),


rule write_claims:
    input:
        evaluations=sorted({file for target in SHOWING for file in evaluations_of(target)}),
        published=given(CAMPAIGN.configuration.published),
        code=library_files("showing/claims/__init__.py", rooms=["showing"]),
        templates=sorted(map(of_workflow, PACKAGE.glob("showing/claims/templates/*"))),
    output:
        md="results/{scale}/tables/claims.md",
        html=report(
            "results/{scale}/tables/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"shows": "The paper's claims, decided here", "scale": "{scale}"},
        ),
    log:
        "results/{scale}/logs/tables/claims.log",
    conda:
        "../../envs/cpu.yaml"
    resources:
        runtime=other_runtime,
        mem_mb=other_memory,
    params:
        cells=[option for target in SHOWING for option in roles_of(target, f"{target}:")],
    shell:
        "double-pinn claims {params.cells} --published {input.published:q}"
        " --output {output.md} {output.html} > {log} 2>&1"
