#include "services/testapp/shop.h"

#include <array>
#include <optional>
#include <utility>

namespace spanway::testapp {
namespace {

constexpr std::array<const char*, 5> kProducts = {"teapot", "kettle", "mug", "sieve", "tray"};
constexpr std::int64_t kFullStock = 100;
constexpr std::uint64_t kProductsPerOrderMax = 3;
// Items of a cart with ShopFault::kNPlusOne.
constexpr int kItemsReadOneByOne = 40;

UnixNanos nanos(SystemTime time) { return static_cast<UnixNanos>(time.time_since_epoch().count()); }

Attributes http_server(const char* method, const char* route, std::string path) {
  return {{"http.request.method", method},
          {"http.route", route},
          {"url.path", std::move(path)},
          {"url.scheme", "http"},
          {"network.protocol.version", "1.1"}};
}

Attributes http_client(const char* method, const char* host, const std::string& path) {
  return {{"http.request.method", method},
          {"url.full", std::string("http://") + host + ":8080" + path},
          {"server.address", host},
          {"server.port", 8080}};
}

Attributes rpc(const char* service, const char* method) {
  return {{"rpc.system", "grpc"}, {"rpc.service", service}, {"rpc.method", method}};
}

Attributes messaging(const char* operation, const std::string& message_id) {
  return {{"messaging.system", "kafka"},
          {"messaging.destination.name", "orders"},
          {"messaging.operation.type", operation},
          {"messaging.message.id", message_id}};
}

}  // namespace

struct Shop::Visit {
  explicit Visit(Random& random) : trace(random) {}
  TraceRecorder trace;
  Fault fault = Fault::kNone;
  std::string user;
  std::string order;
  std::vector<std::size_t> products;
  // Records the measurements, once the times are known.
  struct Served {
    Handle span;
    const char* metric;
    Attributes attributes;
  };
  std::vector<Served> served;
  std::optional<Handle> published;
  bool failed = false;
};

Shop::Shop(Random random, double error_ratio, const Clock& clock, ShopFault fault)
    : random_(random),
      error_ratio_(error_ratio),
      fault_(fault),
      clock_(clock),
      meters_(nanos(clock.system_now())),
      stock_(kProducts.size(), kFullStock),
      instance_(std::to_string(random_.next_below(1'000'000))) {}

Shop::Fault Shop::choose_fault() {
  if (random_.next_unit() >= error_ratio_) return Fault::kNone;
  return random_.next_below(2) == 0 ? Fault::kCardDeclined : Fault::kDatabaseTimeout;
}

Purchase Shop::buy() {
  Visit visit(random_);
  visit.fault = choose_fault();
  visit.user = "user-" + std::to_string(random_.next_below(1000));
  visit.order = "order-" + std::to_string(++orders_);
  const std::uint64_t count = 1 + random_.next_below(kProductsPerOrderMax);
  for (std::uint64_t i = 0; i < count; ++i)
    visit.products.push_back(static_cast<std::size_t>(random_.next_below(kProducts.size())));
  visit_frontend(visit);
  visit.trace.shift(nanos(clock_.system_now()) - visit.trace.now());
  measure(visit);
  Purchase purchase;
  purchase.trace_id = visit.trace.trace_id();
  purchase.failed = visit.failed;
  for (std::size_t i = 0; i < kServiceCount; ++i) {
    const auto service = static_cast<ServiceName>(i);
    ServiceTelemetry telemetry;
    telemetry.resource = resource_of(service);
    telemetry.spans = std::move(visit.trace.spans(service));
    telemetry.logs = std::move(visit.trace.logs(service));
    telemetry.metrics = meters_.collect(service, visit.trace.now());
    purchase.services.push_back(std::move(telemetry));
  }
  return purchase;
}

void Shop::visit_frontend(Visit& visit) {
  TraceRecorder& trace = visit.trace;
  Attributes attributes = http_server("POST", "/checkout", "/checkout");
  attributes.emplace_back("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)");
  attributes.emplace_back("client.address", "203.0.113." + std::to_string(random_.next_below(255)));
  attributes.emplace_back("user.id", visit.user);
  const Handle root = trace.open_root(ServiceName::kFrontend, SpanKind::kServer, "POST /checkout",
                                      std::move(attributes));
  trace.pass(200, 900);
  read_cart(visit, root);
  trace.pass(100, 400);
  const Handle call = trace.open(ServiceName::kFrontend, SpanKind::kClient, "POST", root,
                                 http_client("POST", "checkout", "/orders"));
  trace.pass(150, 600);
  visit.failed = !place_order(visit, call);
  const std::int64_t status = visit.failed ? 500 : 200;
  trace.pass(150, 600);
  trace.add(call, "http.response.status_code", status);
  if (visit.failed) trace.fail(call, "500", "checkout answered 500");
  trace.end(call);
  trace.log(root, visit.failed ? Severity::kError : Severity::kInfo,
            visit.failed ? "Checkout failed" : "Checkout done",
            {{"user.id", visit.user}, {"http.response.status_code", status}});
  trace.pass(100, 500);
  trace.add(root, "http.response.status_code", status);
  if (visit.failed) trace.fail(root, "500", "");
  trace.end(root);
  visit.served.push_back({root,
                          "http.server.request.duration",
                          {{"http.request.method", "POST"},
                           {"http.route", "/checkout"},
                           {"http.response.status_code", status}}});
  // The message is read after the user has gone.
  if (visit.published && fault_ != ShopFault::kDeadConsumer) send_email(visit, *visit.published);
}

void Shop::read_cart(Visit& visit, Handle parent) {
  TraceRecorder& trace = visit.trace;
  const std::string path = "/cart/" + visit.user;
  const Handle call = trace.open(ServiceName::kFrontend, SpanKind::kClient, "GET", parent,
                                 http_client("GET", "cart", path));
  trace.pass(150, 600);
  const Handle server = trace.open(ServiceName::kCart, SpanKind::kServer, "GET /cart/{user}", call,
                                   http_server("GET", "/cart/{user}", path));
  trace.pass(50, 200);
  const Handle read = trace.open(ServiceName::kCart, SpanKind::kClient, "HGETALL", server,
                                 {{"db.system.name", "redis"},
                                  {"db.operation.name", "HGETALL"},
                                  {"db.query.text", "HGETALL cart:?"},
                                  {"server.address", "redis"},
                                  {"server.port", 6379}});
  trace.pass(100, 900);
  trace.end(read);
  if (fault_ == ShopFault::kNPlusOne) read_items(visit, server);
  trace.log(
      server, Severity::kInfo, "Cart read",
      {{"user.id", visit.user}, {"cart.size", static_cast<std::int64_t>(visit.products.size())}});
  trace.pass(50, 200);
  trace.add(server, "http.response.status_code", 200);
  trace.end(server);
  visit.served.push_back({server,
                          "http.server.request.duration",
                          {{"http.request.method", "GET"},
                           {"http.route", "/cart/{user}"},
                           {"http.response.status_code", 200}}});
  trace.pass(150, 600);
  trace.add(call, "http.response.status_code", 200);
  trace.end(call);
}

void Shop::read_items(Visit& visit, Handle parent) {
  TraceRecorder& trace = visit.trace;
  for (int i = 0; i < kItemsReadOneByOne; ++i) {
    const Handle read = trace.open(ServiceName::kCart, SpanKind::kClient, "HGET", parent,
                                   {{"db.system.name", "redis"},
                                    {"db.operation.name", "HGET"},
                                    {"db.query.text", "HGET item:?"},
                                    {"server.address", "redis"},
                                    {"server.port", 6379}});
    trace.pass(800, 2'500);
    trace.end(read);
    trace.pass(20, 80);
  }
}

bool Shop::place_order(Visit& visit, Handle parent) {
  TraceRecorder& trace = visit.trace;
  const Handle server = trace.open(ServiceName::kCheckout, SpanKind::kServer, "POST /orders",
                                   parent, http_server("POST", "/orders", "/orders"));
  trace.add(server, "shop.order.id", visit.order);
  trace.pass(200, 700);
  bool good = true;
  for (std::size_t i = 0; good && i < visit.products.size(); ++i) {
    const bool time_out = visit.fault == Fault::kDatabaseTimeout && i + 1 == visit.products.size();
    good = reserve(visit, server, visit.products[i], time_out);
    trace.pass(50, 200);
  }
  if (good) good = charge(visit, server, visit.fault == Fault::kCardDeclined);
  if (good) {
    visit.published = publish(visit, server);
    trace.log(*visit.published, Severity::kInfo, "Order placed", {{"shop.order.id", visit.order}});
  } else {
    trace.log(server, Severity::kError, "Order not placed", {{"shop.order.id", visit.order}});
    trace.fail(server, "OrderFailed", "the order could not be placed");
  }
  trace.pass(100, 400);
  const std::int64_t status = good ? 200 : 500;
  trace.add(server, "http.response.status_code", status);
  trace.end(server);
  visit.served.push_back({server,
                          "http.server.request.duration",
                          {{"http.request.method", "POST"},
                           {"http.route", "/orders"},
                           {"http.response.status_code", status}}});
  return good;
}

bool Shop::reserve(Visit& visit, Handle parent, std::size_t product, bool time_out) {
  TraceRecorder& trace = visit.trace;
  const Handle call =
      trace.open(ServiceName::kCheckout, SpanKind::kClient, "shop.Inventory/Reserve", parent,
                 rpc("shop.Inventory", "Reserve"));
  trace.add(call, "server.address", "inventory");
  trace.pass(150, 500);
  const Handle server =
      trace.open(ServiceName::kInventory, SpanKind::kServer, "shop.Inventory/Reserve", call,
                 rpc("shop.Inventory", "Reserve"));
  trace.add(server, "shop.product.id", kProducts[product]);
  trace.pass(50, 200);
  const Handle query =
      trace.open(ServiceName::kInventory, SpanKind::kClient, "UPDATE stock", server,
                 {{"db.system.name", "postgresql"},
                  {"db.namespace", "inventory"},
                  {"db.collection.name", "stock"},
                  {"db.operation.name", "UPDATE"},
                  {"db.query.text", "UPDATE stock SET pieces = pieces - 1 WHERE product = $1"},
                  {"server.address", "postgres"},
                  {"server.port", 5432}});
  if (time_out) {
    trace.pass(500'000, 900'000);
    trace.fail(query, "57014", "canceling statement due to statement timeout");
    trace.log(server, Severity::kError, "Database timed out",
              {{"shop.product.id", kProducts[product]}, {"db.system.name", "postgresql"}});
    trace.fail(server, "DEADLINE_EXCEEDED", "stock could not be reserved");
    trace.fail(call, "DEADLINE_EXCEEDED", "stock could not be reserved");
  } else {
    if (fault_ == ShopFault::kSlowDatabase) {
      trace.pass(400'000, 900'000);
      trace.log(server, Severity::kWarn, "Slow statement: waited for a lock on table stock",
                {{"shop.product.id", kProducts[product]}, {"db.system.name", "postgresql"}});
    } else {
      trace.pass(400, 4'000);
    }
    stock_[product] = stock_[product] > 0 ? stock_[product] - 1 : kFullStock;
    if (stock_[product] < 5)
      trace.log(server, Severity::kWarn, "Stock is low",
                {{"shop.product.id", kProducts[product]}, {"pieces", stock_[product]}});
  }
  trace.end(query);
  const std::int64_t status = time_out ? 4 : 0;
  trace.pass(50, 200);
  trace.add(server, "rpc.grpc.status_code", status);
  trace.end(server);
  visit.served.push_back({server,
                          "rpc.server.duration",
                          {{"rpc.method", "Reserve"}, {"rpc.grpc.status_code", status}}});
  trace.pass(150, 500);
  trace.add(call, "rpc.grpc.status_code", status);
  trace.end(call);
  return !time_out;
}

bool Shop::charge(Visit& visit, Handle parent, bool decline) {
  TraceRecorder& trace = visit.trace;
  const Handle call = trace.open(ServiceName::kCheckout, SpanKind::kClient, "shop.Payment/Charge",
                                 parent, rpc("shop.Payment", "Charge"));
  trace.add(call, "server.address", "payment");
  trace.pass(150, 500);
  const Handle server = trace.open(ServiceName::kPayment, SpanKind::kServer, "shop.Payment/Charge",
                                   call, rpc("shop.Payment", "Charge"));
  trace.pass(100, 300);
  const Handle card = trace.open(ServiceName::kPayment, SpanKind::kInternal, "authorize card",
                                 server, {{"shop.payment.method", "card"}});
  trace.pass(5'000, 40'000);
  const bool refused = !decline && gateway_refuses();
  if (refused) {
    trace.fail(card, "GatewayUnavailable", "the payment gateway answers 503");
    trace.log(card, Severity::kError, "Payment gateway answers 503: certificate has expired",
              {{"shop.order.id", visit.order}, {"server.address", "gateway.bank.example"}});
    trace.fail(server, "UNAVAILABLE", "payment gateway is away");
    trace.fail(call, "UNAVAILABLE", "payment gateway is away");
  } else if (decline) {
    trace.fail(card, "CardDeclined", "the bank declined the card");
    trace.log(card, Severity::kError, "Card declined", {{"shop.order.id", visit.order}});
    trace.fail(server, "FAILED_PRECONDITION", "card declined");
    trace.fail(call, "FAILED_PRECONDITION", "card declined");
  } else {
    trace.add(card, "shop.payment.amount",
              5.0 + static_cast<double>(random_.next_below(9000)) / 100);
    trace.log(card, Severity::kInfo, "Card charged", {{"shop.order.id", visit.order}});
  }
  trace.end(card);
  const std::int64_t status = refused ? 14 : decline ? 9 : 0;
  trace.pass(50, 200);
  trace.add(server, "rpc.grpc.status_code", status);
  trace.end(server);
  visit.served.push_back({server,
                          "rpc.server.duration",
                          {{"rpc.method", "Charge"}, {"rpc.grpc.status_code", status}}});
  trace.pass(150, 500);
  trace.add(call, "rpc.grpc.status_code", status);
  trace.end(call);
  return !decline && !refused;
}

bool Shop::gateway_refuses() {
  return fault_ == ShopFault::kFailingPayment && random_.next_below(2) == 0;
}

Shop::Handle Shop::publish(Visit& visit, Handle parent) {
  TraceRecorder& trace = visit.trace;
  const Handle span = trace.open(ServiceName::kCheckout, SpanKind::kProducer, "publish orders",
                                 parent, messaging("send", visit.order));
  trace.pass(500, 3'000);
  trace.add(span, "messaging.destination.partition.id", std::to_string(random_.next_below(6)));
  trace.end(span);
  return span;
}

void Shop::send_email(Visit& visit, Handle published) {
  TraceRecorder& trace = visit.trace;
  trace.pass(1'000, 20'000);
  const Handle process = trace.open(ServiceName::kEmail, SpanKind::kConsumer, "process orders",
                                    published, messaging("process", visit.order));
  trace.add(process, "messaging.consumer.group.name", "email");
  trace.link(process, published);
  trace.pass(200, 800);
  const Handle render = trace.open(ServiceName::kEmail, SpanKind::kInternal, "render template",
                                   process, {{"shop.email.template", "order-confirmation"}});
  trace.pass(1'000, 5'000);
  trace.end(render);
  const Handle smtp = trace.open(
      ServiceName::kEmail, SpanKind::kClient, "SMTP send", process,
      {{"server.address", "smtp"}, {"server.port", 587}, {"network.protocol.name", "smtp"}});
  trace.pass(3'000, 15'000);
  trace.end(smtp);
  trace.log(process, Severity::kInfo, "Confirmation sent", {{"shop.order.id", visit.order}});
  trace.pass(50, 200);
  trace.end(process);
  visit.served.push_back(
      {process,
       "messaging.process.duration",
       {{"messaging.system", "kafka"}, {"messaging.destination.name", "orders"}}});
}

void Shop::measure(Visit& visit) {
  for (Visit::Served& served : visit.served)
    meters_.observe(served.span.service, served.metric, visit.trace.span(served.span),
                    std::move(served.attributes));
  meters_.count(ServiceName::kCheckout, "shop.orders",
                {{"shop.order.outcome", visit.failed ? "failed" : "placed"}});
  for (std::size_t i = 0; i < kProducts.size(); ++i)
    meters_.set(ServiceName::kInventory, "shop.stock", static_cast<double>(stock_[i]),
                {{"shop.product.id", kProducts[i]}});
}

Attributes Shop::resource_of(ServiceName service) const {
  const std::string name = kServiceNames[static_cast<std::size_t>(service)];
  return {{"service.name", name},
          {"service.namespace", "shop"},
          {"service.version", SPANWAY_VERSION},
          {"service.instance.id", name + "-" + instance_},
          {"deployment.environment.name", "demo"},
          {"host.name", name + "-0"},
          {"telemetry.sdk.name", "spanway-test-app"},
          {"telemetry.sdk.language", "cpp"},
          {"telemetry.sdk.version", SPANWAY_VERSION}};
}

}  // namespace spanway::testapp
