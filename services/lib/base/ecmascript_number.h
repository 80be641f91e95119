// Numbers as JavaScript and Go's encoding/json write them: the shortest digits that read back as
// the same double, with an exponent below 1e-6 and from 1e21 on. Pure. Source: ECMA-262,
// Number::toString; Go, encoding/json.
#pragma once

#include <string>

namespace spanway {

// Appends a finite `number`. std::to_chars alone differs: it writes large numbers with the digits
// of their exact value (123456789012345683968) in place of zeros (123456789012345680000).
void append_ecmascript_number(double number, std::string& out);

}  // namespace spanway
