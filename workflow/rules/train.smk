# One training job for each cell and seed. The command keeps checkpoints in a folder that is not an
# output, because outputs are deleted before a job starts: an interrupted job finds its way back.

# All optimisers: the module that chooses among them imports every one.
TRAIN_MODULES = [
    "cores",
    "derivatives",
    "gram",
    "losses",
    "networks/mlp",
    "optimizers/__init__",
    "optimizers/gauss_newton",
    "optimizers/lbfgs",
    "optimizers/linesearch",
    "points",
    "problems/base",
    "residuals",
    "settings",
    "training",
]


rule train:
    input:
        expand(
            "results/{scale}/runs/{cell}/seed{seed}.nc",
            scale=config["scale"],
            cell=CELLS,
            seed=config["seeds"],
        ),


rule train_network:
    input:
        settings="results/{scale}/settings/train/{cell}.json",
        code=train_modules,
    output:
        "results/{scale}/runs/{cell}/seed{seed}.nc",
    log:
        "results/{scale}/logs/train/{cell}/seed{seed}.log",
    benchmark:
        "results/{scale}/benchmarks/train/{cell}/seed{seed}.tsv"
    # Before evaluations and figures: the longest jobs must not start last.
    priority: 10
    conda:
        "../../envs/{}.yaml".format("cuda" if config["device"] == "gpu" else "cpu")
    threads: 1
    resources:
        runtime=train_runtime,
        mem_mb=train_memory,
        gpu=int(config["device"] == "gpu"),
        device=config["device"],
    params:
        checkpoints=checkpoint_folder,
    shell:
        "double-pinn train --settings {input.settings} --seed {wildcards.seed}"
        " --output {output} --checkpoints {params.checkpoints} --log {log}"
        " --threads {threads} --device {resources.device}"
