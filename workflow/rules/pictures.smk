# A picture of every cell, shown in a figure or not: src/double_pinn/showing/picture.py draws it.


rule pictures:
    input:
        expand("results/{scale}/figures/cells/{cell}.png", scale=SCALE, cell=CELLS),


rule draw_cell:
    input:
        evaluation="results/{scale}/evaluation/{cell}.nc",
        code=library_files("showing/picture.py", rooms=["showing"]),
    output:
        report(
            "results/{scale}/figures/cells/{cell}.png",
            caption="../report/cell.rst",
            category="Cells",
            labels={"cell": "{cell}", "scale": "{scale}"},
        ),
    log:
        "results/{scale}/logs/cells/{cell}.log",
    conda:
        "../../envs/cpu.yaml"
    resources:
        runtime=other_runtime,
        mem_mb=other_memory,
    shell:
        "double-pinn picture --cell {input.evaluation} --output {output} > {log} 2>&1"
