// The conditions of a pipeline that a store can check.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "services/query/store/span_query.h"
#include "services/query/traceql/ast.h"

namespace spanway::query::traceql {

// True when an attribute of that place and key may be a list in some span: a list fulfils a
// comparison by its elements, which stores do not compare.
using MayBeList = std::function<bool(Scope scope, const std::string& key)>;

// Holds for every span that the pipeline can return, and maybe for others. Within check() of the
// store's conditions. Stateless.
SpanCondition condition_of(const Expr& pipeline, const MayBeList& may_be_list);

// Attributes that the query reads or shows, intrinsics among them.
std::set<Attribute> attributes_of(const Query& query);

// True when a span can be evaluated without the others of its trace.
bool is_span_by_span(const Expr& pipeline, const FirstStage& stage);

}  // namespace spanway::query::traceql
