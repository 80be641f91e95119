// Values of OTLP/JSON as text. Pure.

export function valueText(value) {
  if (!value || typeof value !== 'object') return '';
  if ('stringValue' in value) return value.stringValue;
  if ('boolValue' in value) return String(value.boolValue);
  if ('intValue' in value) return String(value.intValue);
  if ('doubleValue' in value) return String(value.doubleValue);
  if ('bytesValue' in value) return `base64:${value.bytesValue}`;
  return JSON.stringify(plain(value));
}

function plain(value) {
  if (value?.arrayValue) return (value.arrayValue.values || []).map(plain);
  if (value?.kvlistValue) return Object.fromEntries((value.kvlistValue.values || []).map((one) => [one.key, plain(one.value)]));
  if (value && 'intValue' in value && Number.isSafeInteger(Number(value.intValue))) return Number(value.intValue);
  if (value && 'doubleValue' in value) return value.doubleValue;
  if (value && 'boolValue' in value) return value.boolValue;
  return valueText(value);
}

// [key, text] by key.
export const attributesOf = (attributes) =>
  (attributes || []).map(({ key, value }) => [key, valueText(value)]).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
