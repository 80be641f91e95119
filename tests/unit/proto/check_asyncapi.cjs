// Parses an AsyncAPI document with the reference parser and prints {diagnostics, document}, the
// latter with its references resolved.
//   node check_asyncapi.cjs NODE_MODULES DOCUMENT
const fs = require('fs');
const path = require('path');

const [modules, file] = process.argv.slice(2);
const { Parser } = require(path.join(modules, '@asyncapi/parser'));

new Parser().parse(fs.readFileSync(file, 'utf8'), { source: file }).then(({ document, diagnostics }) => {
  const findings = diagnostics.map(({ code, message, severity, path: at }) => ({
    code,
    message,
    severity,
    path: at.join('.'),
  }));
  console.log(JSON.stringify({ diagnostics: findings, document: document ? document.json() : null }));
});
