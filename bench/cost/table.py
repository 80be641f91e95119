"""The tables of bench/README.md: figures with their bounds, as `figure / bound`. A figure without a bound does not repeat
closely enough, or is there to be read."""
import pathlib

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- cost: figures / bounds -->", "<!-- cost: end -->"

# Name, title, digits. The order of the columns.
COLUMNS = (
    ("calls", "system calls", 1),
    ("voluntary", "sleeps", 1),
    ("involuntary", "preempted", 1),
    ("faults", "page faults", 1),
    ("kafka_requests", "Kafka requests", 1),
    ("allocations", "allocations", 0),
    ("copies", "copies of a byte", 2),
    ("idle_wakes", "idle wake-ups/s", 1),
)
STAGE_DIGITS = 3


def head():
    return f"{'path':18} {'spans':>5}" + "".join(f" {title:>{len(title)}}" for _, title, _ in COLUMNS)


def row(path, size, figures):
    return f"{path:18} {size:>5}" + "".join(f" {figures[name]:>{len(title)}.{digits}f}" for name, title, digits in COLUMNS)


def split_readme():
    before, _, rest = README.read_text().partition(BEGIN)
    inside, end, after = rest.partition(END)
    assert end, f"{README} has no {BEGIN} ... {END}"
    return before, inside, after


def read_bounds():
    """{(path, spans): {counter: bound}} and {stage: bound}."""
    bounds = {}
    for line in split_readme()[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 2 + len(COLUMNS) and cells[1].isdigit():
            pairs = zip((name for name, _, _ in COLUMNS), cells[2:])
            bounds[cells[0], int(cells[1])] = {name: float(cell.partition("/")[2]) for name, cell in pairs if "/" in cell}
        elif len(cells) == 2 and "/" in cells[1]:
            bounds[cells[0]] = float(cells[1].partition("/")[2])
    return bounds


def shown(figure, digits, bound):
    figure = max(figure, 0) + 0.0  # Slightly less than when idle is nothing, and no minus before it.
    return f"{figure:.{digits}f}" + ("" if bound is None else f" / {bound:g}")


def write(figures):
    """Figures that were not taken this time leave the table."""
    bounds = read_bounds()
    lines = ["", "| path | spans | " + " | ".join(title for _, title, _ in COLUMNS) + " |", "|---" * (2 + len(COLUMNS)) + "|"]
    for key in (key for key in figures if isinstance(key, tuple)):
        cells = [shown(figures[key][name], digits, bounds.get(key, {}).get(name)) for name, _, digits in COLUMNS]
        lines.append(f"| {key[0]} | {key[1]} | " + " | ".join(cells) + " |")
    lines += ["", "| stage | million instructions of a request of 512 spans |", "|---|---|"]
    lines += [f"| {key} | {shown(figures[key], STAGE_DIGITS, bounds.get(key))} |" for key in figures if isinstance(key, str)]
    before, _, after = split_readme()
    README.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + after)


def exceeded(name, figure, bound):
    return [f"{name}: {figure:.3f} is above the bound {bound:g}"] if bound is not None and figure > bound else []


def check(figures):
    """0, or 1 with a line for each bound that is exceeded."""
    bounds, mistakes = read_bounds(), []
    for key, found in figures.items():
        bound = bounds.get(key)
        if bound is None:
            mistakes.append(f"{key}: no row of bench/README.md")
        elif isinstance(key, str):
            mistakes += exceeded(key, found, bound)
        else:
            for name, title, _ in COLUMNS:
                mistakes += exceeded(f"{key[0]}, {key[1]} spans: {title}", found[name], bound.get(name))
    print("\n".join(mistakes) if mistakes else "within all bounds of bench/README.md")
    return 1 if mistakes else 0
