# One training job for each cell and seed. The command keeps checkpoints in a folder that is not an
# output, because outputs are deleted before a job starts: an interrupted job finds its way back.


rule train:
    input:
        [runs_of(cell) for cell in CELLS],


rule train_network:
    input:
        settings="results/{scale}/settings/train/{cell}.json",
        code=number_deciding,
    output:
        "results/{scale}/runs/{cell}/seed{seed}.nc",
    log:
        "results/{scale}/logs/train/{cell}/seed{seed}.log",
    benchmark:
        "results/{scale}/benchmarks/train/{cell}/seed{seed}.tsv"
    # Before evaluations and figures: the longest jobs must not start last.
    priority: 10
    conda:
        "../../envs/{}.yaml".format("cuda" if DEVICE == "gpu" else "cpu")
    threads: train_threads
    resources:
        runtime=train_runtime,
        mem_mb=train_memory,
        gpu=int(DEVICE == "gpu"),
        device=DEVICE,
    params:
        checkpoints=checkpoint_folder,
        table=table_for_the_log,
        earlier=archive_to_continue,
    shell:
        "double-pinn train --settings {input.settings} --seed {wildcards.seed}"
        " --output {output} --checkpoints {params.checkpoints} --log {log}"
        " --threads {threads} --device {resources.device} {params.table:q} {params.earlier:q}"
