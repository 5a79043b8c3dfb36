# Table N shows the cells whose `used_in` says `tableN:EQUATION/ROW`, beside the published numbers.


rule tables:
    input:
        expand(
            "results/{scale}/tables/table{number}.{format}",
            scale=SCALE,
            number=numbers_of("table"),
            format=["csv", "md", "tex", "html"],
        ),


for number in numbers_of("table"):

    rule:  # `snakemake table1`: that one alone
        name:
            f"table{number}"
        input:
            expand(
                "results/{scale}/tables/table{number}.{format}",
                scale=SCALE,
                number=number,
                format=["csv", "md", "tex", "html"],
            ),

    rule:
        name:
            f"write_table{number}"
        input:
            evaluations=evaluations_of(f"table{number}"),
            published=given(CAMPAIGN.configuration.published),
            code=library_files("showing/tables/__init__.py", rooms=["showing"]),
            templates=sorted(map(of_workflow, PACKAGE.glob("showing/tables/templates/*"))),
        output:
            csv=f"results/{{scale}}/tables/table{number}.csv",
            # The report has the page: CSV would be a download there.
            html=report(
                f"results/{{scale}}/tables/table{number}.html",
                caption=f"../report/table{number}.rst",
                category="Tables",
                labels={
                    "table": f"{number}",
                    "shows": "Published and reproduced results",
                    "scale": "{scale}",
                },
            ),
            md=f"results/{{scale}}/tables/table{number}.md",
            tex=f"results/{{scale}}/tables/table{number}.tex",
        log:
            f"results/{{scale}}/logs/tables/table{number}.log",
        conda:
            "../../envs/cpu.yaml"
        resources:
            runtime=other_runtime,
            mem_mb=other_memory,
        params:
            cells=roles_of(f"table{number}"),
        shell:
            "double-pinn table {params.cells} --published {input.published:q}"
            " --output {output.csv} {output.md} {output.tex} {output.html} > {log} 2>&1"
