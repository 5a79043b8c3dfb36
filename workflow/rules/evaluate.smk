# All seeds of a cell against the solution: what figures and tables read, and nothing else.


rule evaluations:
    input:
        expand(
            "results/{scale}/evaluation/{cell}.nc",
            scale=SCALE,
            cell=CELLS,
        ),


rule evaluate_cell:
    input:
        settings="results/{scale}/settings/evaluate/{cell}.json",
        reference=lambda wildcards: (
            f"results/{wildcards.scale}/reference/{CAMPAIGN.cells[wildcards.cell].equation}.nc"
        ),
        runs=lambda wildcards: runs_of(wildcards.cell),
        code=library_files("results/evaluation.py", "results/predict.py"),
    output:
        "results/{scale}/evaluation/{cell}.nc",
    log:
        "results/{scale}/logs/evaluation/{cell}.log",
    benchmark:
        "results/{scale}/benchmarks/evaluation/{cell}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        runtime=other_runtime,
        mem_mb=other_memory,
    shell:
        "double-pinn evaluate --settings {input.settings} --reference {input.reference}"
        " --runs {input.runs} --output {output} --threads {threads} > {log} 2>&1"
