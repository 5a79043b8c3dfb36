# The solution of each equation on its evaluation grid: a table of it, a closed form, or a spectral solver.


rule solve_reference:
    input:
        settings="results/{scale}/settings/reference/{equation}.json",
        code=reference_code,
        table=reference_table,
    output:
        "results/{scale}/reference/{equation}.nc",
    log:
        "results/{scale}/logs/reference/{equation}.log",
    benchmark:
        "results/{scale}/benchmarks/reference/{equation}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        runtime=other_runtime,
        mem_mb=other_memory,
    shell:
        "double-pinn reference --settings {input.settings} --output {output} > {log} 2>&1"
