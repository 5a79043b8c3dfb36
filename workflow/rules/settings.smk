# The slice of the configuration that decides the numbers of one job, as a file. A changed setting
# rewrites, and so reruns, only what it touches. (A changed command here would retrain everything.)


rule write_settings:
    output:
        "results/{scale}/settings/{stage}/{name}.json",
    log:
        "results/{scale}/logs/settings/{stage}/{name}.log",
    wildcard_constraints:
        stage="train|evaluate|reference",
        name=any_of([*CELLS, *CAMPAIGN.equations]),
    conda:
        "../../envs/cpu.yaml"
    params:
        settings=lambda wildcards: CAMPAIGN.slice_json(wildcards.stage, wildcards.name),
    shell:
        "printf '%s\\n' {params.settings:q} > {output} 2> {log}"
