# What is said and done before the first job and after the last.

from collections import defaultdict

from double_pinn import files
from double_pinn.results import kept


def training_jobs():
    """Return the training jobs that are about to run."""
    return [job for job in workflow.dag.needrun_jobs() if job.rule.name == "train_network"]


def results_folder():
    return Path("results", SCALE)


def announce():
    """Say how many jobs there are, and about how long they take if they run here."""
    from double_pinn.results.continued import begin
    from double_pinn.results.duration import Training, announcement, measure, timings

    named = CAMPAIGN.configuration.continue_from
    archive = Path(given(named)) if named else None
    begins = defaultdict(list)
    for job in training_jobs():
        cell, seed = job.wildcards.cell, int(job.wildcards.seed)
        checkpoints = Path(job.params.checkpoints)
        begins[cell].append(begin(checkpoints, archive, CAMPAIGN.run(cell), seed))
    trainings = [
        Training(CAMPAIGN.run(cell), seeds, CAMPAIGN.train_job(cell).threads)
        for cell, seeds in begins.items()
    ]
    jobs = list(workflow.dag.needrun_jobs())
    others = sum(not job.rule.norun for job in jobs) - len(training_jobs())
    cores = workflow.resource_settings.cores
    # Reading an archive takes a second, for nothing where only figures are drawn.
    archived = timings(ROOT / "results" / "archive") if trainings else []
    print(
        f"Duration: {announcement(trainings, others, cores, archived, measure)}.", file=sys.stderr
    )


def check_roles():
    """Refuse now what figures and tables would refuse after hours of training.

    Only where something is trained: what draws takes seconds to load.
    """
    if not training_jobs():
        return
    from double_pinn.showing import figures, tables

    try:
        for target, players in CAMPAIGN.uses.items():
            cells = {role: CAMPAIGN.run(cell).attributes() for role, cell in players.items()}
            if target.startswith("figure"):
                figures.check(int(target.removeprefix("figure")), cells)
            else:
                tables.check(cells)
    except UserError as error:
        raise WorkflowError(f"{CAMPAIGN.configuration.experiments}: used_in: {error}")


def is_forced(job):
    """Return whether the command line forces a job; Snakemake itself forces incomplete ones too."""
    asked = workflow.dag_settings
    names = {job.rule.name, *map(str, job.output)}
    by_target = asked.forcetargets and names & with_paths(asked.targets)
    return bool(asked.forceall or by_target or names & with_paths(asked.forcerun))


def with_paths(words):
    """Return words of the command line, and the files that Snakemake takes them for."""
    return {*words, *map(os.path.relpath, words)}


def keep_what_is_replaced():
    """Keep the runs that Snakemake is about to delete; a run that is forced is trained anew."""
    for job in training_jobs():
        kept.keep(Path(job.output[0]))
        if is_forced(job):
            kept.set_aside(Path(job.params.checkpoints))


def settle():
    """Put back every run that was to be replaced and was not."""
    job_of = {str(job.output[0]): job for job in workflow.dag.jobs if job.output}
    for path in kept.settle(results_folder()):
        if job := job_of.get(str(path)):
            workflow.persistence.cleanup(job)  # else Snakemake would take it for half a file
        print(f"{path} is the one of before: no new one was finished.", file=sys.stderr)
    for place in kept.undecided(results_folder()):
        print(
            f"{place.with_suffix('')}: a training that began anew has not ended; the checkpoints "
            f"of before are in {place}.",
            file=sys.stderr,
        )


def say_size_of_checkpoints():
    """Say what the checkpoints of this scale take, what they are for, and how to be rid of them."""
    folder = results_folder() / "checkpoints"
    if size := files.size(folder):
        print(
            f"Checkpoints: {files.megabytes(size)} in {folder}. A larger budget continues from "
            f"them; nothing else needs them (rm -r {folder}).",
            file=sys.stderr,
        )
