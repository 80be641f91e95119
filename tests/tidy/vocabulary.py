"""The words that are out, and the field's terms that take their place (CONTRIBUTING.md has the
glossary). Comments, messages, documents and names follow it."""
import re

# Pattern -> what to write instead.
OUT = {
    r"\b[Nn]obody\b": "no client, no pod, no consumer: name the actor",
    r"\b[Ss]omebody\b": "an operator, another process: name the actor",
    r"\b[Ee]verybody\b": "all clients, any client: name the actor",
    r"\b[Aa]nybody\b|\b[Aa]nyone\b": "any client, an operator: name the actor",
    r"\b[Nn]o one\b": "no client, no pod, no consumer: name the actor",
    r"(?<!allow\.)\b[Ee]veryone\b": "all clients, any client: name the actor",
    r"\b[Gg]oodbyes?\b": "GOAWAY, close_notify, closed",
    r"\b[Ee]arlier li(fe|ves)\b": "earlier assignment, earlier run of the process",
    r"\b[Ww]hoever\b": "the caller, the client: name the actor",
    r"\b[Nn]eighbours?\b": "control batch, adjacent, other",
    r"\b([Bb]ury|[Bb]uried|[Bb]uries|[Bb]urying)\b": "dead-letter",
    r"\b[Gg]oes on\b|\b[Gg]o on\b": "resumes, continues",
    r"\bnot there\b": "unset, missing",
    r"\b[Tt]old\b|\b[Tt]ells?\b(?!\(\))|\b[Tt]elling\b": "reports, returns, notifies",
    r"\b[Ww]anted\b": "desired, requested, configured",
    r"\b[Ll]ook(s|ed|ing)?\b(?! ?up\b)": "reads, checks, reconciles",
    r"(//|^\s*#|\"\"\")\s*(What|Whether|Who|Of)\b": "begin with the noun or the verb",
    r"\bat rest\b|\bwhat rests\b": "idle, unchanged",
    r"\bShip(per|ment|ped)|\bshipper\b": "request coalescer, delivery request, delivery result",
    r"\bUnseenWrites\b|\bunseen_writes\b": "read-your-writes mutation cache",
    r"\bStatusMaker\b": "StatusBuilder",
    r"\bLeaderClient\b|\bleader_client\b": "FencedClient",
    r"\blook_again\b": "requeue_after",
    r"\blate_in_its_words\b": "deadline failure with the pods' report",
    r"\bobey_force_check\b": "consume_force_check",
    r"\bcut_plan\b": "batch_plan",
    r"\bbegin_group\b": "initialize_offsets",
    r"\blane_bench\b|\b\w+Bench\b": "a *_fixture",
    r"\b[Hh]eard\b": "has_reports, notified, received",
    r"[Pp]atience": "timeout, deadline, grace period",
    r"\b[Aa]sked\b|[a-z]Asked\b|\bunasked\b|_asked\b|\basked_": "requested, polled, probed, called",
    r"[Jj]udg(e|ing)": "classify, check, validate",
    r"\bculprits?\b": "the item that fails",
    r"\bstands? (there|twice|still|beside|above|below|alone|together|in|for)\b": "is, is listed, is set, means",
    r"\b(is|are|be|for|not|sent|kept|taken|written|known|stays?|inserted|applied) whole\b": "complete, in one piece, in full",
    r"\bwhole\b(?=\s*(=[^>]|;|->|\[)|\.\w|\(\))": "complete, parsed, joined: name what is complete",
}

# Not prose of this repository, and the list whose change makes every machine install Python's packages anew.
EXEMPT = re.compile(
    r"^tests/tidy/|/testdata/|/golden/|^tests/fuzz/corpus/|^proto/opentelemetry/|^proto/google/|^CHANGELOG\.md$|^tests/requirements\.txt$"
)


def joined(lines):
    """(line number, text) of each pair of comment or prose lines, as one line: words that a line break
    separates are found too."""
    start = re.compile(r"\s*(//|#)\s*|\s*")
    for number, (line, after) in enumerate(zip(lines, lines[1:]), 1):
        first, second = start.match(line), start.match(after)
        if first[1] == second[1] and line.strip() and after.strip():
            yield number, line, after[second.end():]


def occurrences(text):
    """(line number, word, replacement) of each word that is out."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        for pattern, instead in OUT.items():
            found += [(number, match[0], instead) for match in re.finditer(pattern, line)]
    for number, line, after in joined(lines):
        for pattern, instead in OUT.items():
            for match in re.finditer(pattern, line + " " + after):
                if match.start() < len(line) and match.end() > len(line) + 1:
                    found.append((number, match[0], instead))
    return found
