// From the words of the search line to TraceQL. Pure.

const NAMES = {
  service: 'resource.service.name', name: 'name', operation: 'name', duration: 'duration',
  traceduration: 'traceDuration', kind: 'kind', status: 'status', root: 'rootName', rootservice: 'rootServiceName',
};
// Values of these are no texts.
const BARE = new Set(['duration', 'traceDuration', 'kind', 'status']);
const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['error', 'ok', 'unset'];
const SCOPES = /^(span|resource|event|link|instrumentation|parent|trace)[.:]/;

export const quoted = (text) =>
  '"' + text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\t/g, '\\t') + '"';

const escapedPattern = (text) => text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');

// Words, in which quotes hold blanks together.
export function words(text) {
  const found = [];
  let word = '', isQuoted = false, began = false;
  for (let i = 0; i < text.length; ++i) {
    const c = text[i];
    if (c === '\\' && isQuoted && i + 1 < text.length) {
      word += text[++i];
    } else if (c === '"') {
      isQuoted = !isQuoted;
      began = true;
    } else if (/\s/.test(c) && !isQuoted) {
      if (began) found.push(word);
      word = '';
      began = false;
    } else {
      word += c;
      began = true;
    }
  }
  if (isQuoted) throw new Error('a quotation mark is not closed');
  if (began) found.push(word);
  return found;
}

// The id when the text is one, as it is pasted from a log line.
export function traceIdIn(text) {
  const id = text.trim().toLowerCase();
  return /^([0-9a-f]{32}|[0-9a-f]{16})$/.test(id) && !/^0+$/.test(id) ? id : '';
}

function attribute(key) {
  const plain = /^[A-Za-z0-9_.\-/@$]+$/;
  if (SCOPES.test(key)) return key;
  return plain.test(key) ? '.' + key : '.' + quoted(key);
}

function bareCondition(field, op, value) {
  const known = { kind: KINDS, status: STATUSES }[field];
  if (known && !known.includes(value)) throw new Error(`${field}: one of ${known.join(', ')}`);
  if (!known && !/^\d+(\.\d+)?(ns|us|µs|ms|s|m|h)$/.test(value))
    throw new Error(`${field}: a number with its unit, as 150ms or 1.5s`);
  if (op === '=~') throw new Error(`${field} takes =, != and comparisons, no pattern`);
  return `${field} ${op} ${value}`;
}

function condition(word) {
  const found = /^([^=!<>~:\s]+(?::[a-z]+)?)(=~|!=|>=|<=|=|>|<|~|:)(.*)$/s.exec(word);
  if (!found) {
    if (word === 'error') return 'status = error';
    if (word === 'root') return 'nestedSetParent < 0';
    const pattern = quoted(`(?i).*${escapedPattern(word)}.*`);
    return `(name =~ ${pattern} || resource.service.name =~ ${pattern})`;
  }
  const [, key, written, value] = found;
  const op = { '~': '=~', ':': '=' }[written] || written;
  const field = NAMES[key.toLowerCase()] || attribute(key);
  if (BARE.has(field)) return bareCondition(field, op, value);
  if (op === '=~') return `${field} =~ ${quoted(value)}`;
  const isNumber = /^-?\d+(\.\d+)?$/.test(value);
  if (op === '>' || op === '<' || op === '>=' || op === '<=') {
    if (!isNumber) throw new Error(`${key} ${op}: a number is compared; texts take = and ~`);
    return `${field} ${op} ${value}`;
  }
  // Texts and numbers are different values, and few people remember which one an attribute has.
  if ((isNumber || value === 'true' || value === 'false') && field.includes('.') && !NAMES[key.toLowerCase()]) {
    const joint = op === '=' ? '||' : '&&';
    return `(${field} ${op} ${value} ${joint} ${field} ${op} ${quoted(value)})`;
  }
  return `${field} ${op} ${quoted(value)}`;
}

// 'service=shop http.route=/cart duration>100ms error' as TraceQL; TraceQL as it is. Throws an Error that says which
// word is wrong.
export function toTraceQl(text) {
  const trimmed = text.trim();
  if (/^[{(]/.test(trimmed)) return trimmed;
  const conditions = words(trimmed).map(condition);
  return conditions.length === 0 ? '{ }' : `{ ${conditions.join(' && ')} }`;
}

// The word that is being typed at `at`, for completion: {from, to, key, value, op}.
export function wordAt(text, at) {
  let from = at;
  while (from > 0 && !/\s/.test(text[from - 1])) --from;
  let to = at;
  while (to < text.length && !/\s/.test(text[to])) ++to;
  const word = text.slice(from, to);
  const found = /^([^=!<>~]+)(=~|!=|>=|<=|=|>|<|~)(.*)$/.exec(word);
  return found
    ? { from, to, key: found[1], op: found[2], value: found[3] }
    : { from, to, key: word, op: '', value: '' };
}

// A word of the search line for an attribute and its value.
export function wordOf(key, value) {
  const text = String(value);
  return `${key}=${/[\s"\\]/.test(text) ? quoted(text) : text}`;
}

// The name of an attribute for Tempo's list of values.
export const tagOf = (key) => NAMES[key.toLowerCase()] || attribute(key);

// --- logs ---

const ALL_LINES = '{service_name=~".+"}';

// Words without a selector are looked for in all lines.
export function toLogQl(text) {
  const trimmed = text.trim();
  if (trimmed === '') return ALL_LINES;
  if (trimmed.startsWith('{')) return trimmed;
  return `${ALL_LINES} |~ ${JSON.stringify(`(?i)${escapedPattern(trimmed)}`)}`;
}
