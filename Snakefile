# PINN failure modes are overfitting (arXiv:2605.30910), from one command: snakemake --cores 2
#
# From configuration to pixels, for figure 6 (every arrow is a file or a folder that you can open):
#
#   config/config.yaml               the settings          config/experiments.csv   the cells: rows
#     |                                                      that say `figure6:ROLE` are shown there
#     +-> results/{scale}/settings/  settings.smk   the slice of the settings of each job
#     +-> results/{scale}/reference/ reference.smk  the solution of each equation
#     +-> results/{scale}/runs/      train.smk      one training job for each cell and seed
#     +-> results/{scale}/evaluation/evaluate.smk   all seeds of a cell against the solution
#     +-> results/{scale}/figures/   figures.smk    src/double_pinn/showing/figures/figure6.py draws them;
#     |                                             pictures.smk: cells/, a picture of every cell
#     +-> results/{scale}/tables/    tables.smk     beside the published numbers; claims.smk: which claims hold; costs.smk
#
# Other scales: snakemake --cores 2 --configfile config/smoke.yaml (or paper.yaml, models.yaml, ...)
# Only a part:  snakemake --cores 2 train (or numbers, figures, table1, or any file's name); before --configfile

from snakemake.utils import min_version

min_version("9.14")


configfile: f"{workflow.basedir}/config/config.yaml"


# What the command line gives is laid over these, whatever their order.
if "scale" not in config:

    configfile: f"{workflow.basedir}/config/laptop.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


wildcard_constraints:
    scale=SCALE,
    cell=any_of(CELLS),
    equation=any_of(CAMPAIGN.equations),
    seed="[0-9]+",


include: "workflow/rules/settings.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/pictures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/costs.smk"
include: "workflow/rules/start.smk"


localrules:
    all,
    numbers,
    train,
    evaluations,
    figures,
    pictures,
    tables,
    claims,
    costs,
    write_settings,


onstart:
    if workflow.is_main_process and not workflow.touch:
        check_roles()
        keep_what_is_replaced()
        # On a cluster there is no telling.
        if workflow.local_exec:
            announce()


onsuccess:
    if workflow.is_main_process:
        settle()
        say_size_of_checkpoints()


onerror:
    if workflow.is_main_process:
        settle()


rule numbers:  # all but what is drawn
    input:
        rules.evaluations.input,
        rules.tables.input,
        rules.claims.input,
        rules.costs.input,


rule all:
    default_target: True
    input:
        rules.numbers.input,
        rules.figures.input,
        rules.pictures.input,
