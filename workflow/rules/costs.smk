# What each model costs, from the cells of figure 10.


rule costs:
    input:
        expand(
            "results/{scale}/tables/costs.{format}",
            scale=SCALE,
            format=["csv", "md", "html"] if "figure10" in CAMPAIGN.uses else [],
        ),


if "figure10" in CAMPAIGN.uses:

    rule write_costs:
        input:
            evaluations=evaluations_of("figure10"),
            published=given(CAMPAIGN.configuration.published),
            code=library_files("showing/costs/__init__.py", rooms=["showing"]),
            templates=sorted(map(of_workflow, PACKAGE.glob("showing/costs/templates/*"))),
        output:
            csv="results/{scale}/tables/costs.csv",
            md="results/{scale}/tables/costs.md",
            html=report(
                "results/{scale}/tables/costs.html",
                caption="../report/costs.rst",
                category="Tables",
                labels={
                    "table": "costs",
                    "shows": "What each model costs and reaches",
                    "scale": "{scale}",
                },
            ),
        log:
            "results/{scale}/logs/tables/costs.log",
        conda:
            "../../envs/cpu.yaml"
        resources:
            runtime=other_runtime,
            mem_mb=other_memory,
        params:
            cells=roles_of("figure10"),
            trained=CAMPAIGN.trained("figure10"),  # for the caption
        shell:
            "double-pinn costs {params.cells} --published {input.published:q}"
            " --output {output.csv} {output.md} {output.html} > {log} 2>&1"
