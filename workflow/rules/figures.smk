# Figure N shows the cells whose `used_in` says `figureN:ROLE`; src/double_pinn/showing/figures/figureN.py
# draws them. One rule for each number, named draw_figureN, because each has a caption of its own.


rule figures:
    input:
        expand(
            "results/{scale}/figures/figure{number}.{format}",
            scale=SCALE,
            number=FIGURES,
            format=["pdf", "png"],
        ),


for number in FIGURES:

    rule:  # `snakemake figure1`: that one alone
        name:
            f"figure{number}"
        input:
            expand(
                "results/{scale}/figures/figure{number}.{format}",
                scale=SCALE,
                number=number,
                format=["pdf", "png"],
            ),

    rule:
        name:
            f"draw_figure{number}"
        input:
            evaluations=evaluations_of(f"figure{number}"),
            published=given(CAMPAIGN.configuration.published),
            code=library_files(f"showing/figures/figure{number}.py", rooms=["showing"]),
        output:
            pdf=f"results/{{scale}}/figures/figure{number}.pdf",
            png=report(
                f"results/{{scale}}/figures/figure{number}.png",
                caption=f"../report/figure{number}.rst",
                category="Figures",
                labels={"figure": f"{number}", "shows": figure_title(number), "scale": "{scale}"},
            ),
        log:
            f"results/{{scale}}/logs/figures/figure{number}.log",
        conda:
            "../../envs/cpu.yaml"
        resources:
            runtime=other_runtime,
            mem_mb=other_memory,
        params:
            number=number,
            cells=roles_of(f"figure{number}"),
            trained=CAMPAIGN.trained(f"figure{number}"),  # for the caption
        shell:
            "double-pinn figure {params.number} {params.cells} --published {input.published:q}"
            " --output {output.pdf} {output.png} > {log} 2>&1"
