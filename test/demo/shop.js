// The queues of a small shop, and what is in them: always the same messages for the same numbers.

/** Everything is published here; bindings lead to the queues. */
export const EXCHANGE = "shop";

/** `limited`: not before RabbitMQ 4.0, where every quorum queue has a delivery limit, and 3.x could not be read with one. */
export const QUEUES = [
  { name: "orders", type: "classic", arguments: {}, key: "order.#", count: 3000, make: order },
  {
    name: "dispatch",
    type: "classic",
    arguments: { "x-max-priority": 5 },
    key: "dispatch.#",
    count: 600,
    make: parcel,
  },
  {
    name: "payments",
    type: "quorum",
    arguments: { "x-max-length": 100_000 },
    key: "payment.#",
    count: 1500,
    make: payment,
  },
  { name: "clicks", type: "stream", arguments: {}, key: "click.#", count: 4000, make: click },
];

/** The queue with a publisher and a consumer at work. */
export const LIVE = { name: "carts", type: "classic", arguments: {}, key: "cart.#", make: cart };

export const ALL_QUEUES = [...QUEUES, LIVE];

const CITIES = ["Aarhus", "Łódź", "Québec", "São Paulo", "京都", "Zürich"];
const FIRST_SECOND = 1_760_000_000;

function order(n) {
  const city = CITIES[n % CITIES.length];
  return {
    key: n % 3 === 0 ? "order.paid" : "order.new",
    body: json({
      order: n,
      customer: `C${10_000 + ((n * 7919) % 5000)}`,
      city,
      items: items(n),
      total: money(n),
    }),
    properties: {
      persistent: true,
      contentType: "application/json",
      messageId: `order-${n}`,
      correlationId: `session-${(n * 31) % 997}`,
      timestamp: FIRST_SECOND + n,
      appId: "web-shop",
      headers: {
        attempt: typed("int8", n % 3),
        city,
        customer: typed("int64", 10_000 + ((n * 7919) % 5000)),
        discount: typed("float", 0.25),
        gift: n % 5 === 0,
        note: null,
        placed: typed("timestamp", FIRST_SECOND + n),
        signature: Buffer.from([0xff, 0x00, n & 0xff]),
        tags: ["web", typed("int16", n % 100)],
        total: typed("decimal", { digits: 1000 + ((n * 37) % 90_000), places: 2 }),
        trace: { parent: `span-${n}`, sampled: n % 10 === 0 },
      },
    },
  };
}

function parcel(n) {
  return {
    key: "dispatch.parcel",
    body: json({ parcel: n, order: n * 3, weight: 200 + ((n * 53) % 4000) }),
    properties: {
      persistent: true,
      priority: n % 6,
      type: "parcel",
      headers: { fragile: n % 7 === 0, shelf: `R${n % 40}` },
    },
  };
}

function payment(n) {
  return {
    key: "payment.captured",
    body: json({ payment: n, order: n, amount: money(n), method: n % 4 === 0 ? "invoice" : "card" }),
    properties: {
      persistent: true,
      contentType: "application/json",
      messageId: `payment-${n}`,
      replyTo: "payments.answers",
      headers: { currency: "EUR", provider: typed("int64", 900_000_000_000 + n), retry: false },
    },
  };
}

/** Streams drop tables, arrays and byte arrays from the headers, so there are none. */
function click(n) {
  return {
    key: "click.page",
    body: json({ click: n, page: `/articles/${(n * 17) % 400}`, ms: (n * 13) % 900 }),
    properties: {
      persistent: true,
      contentType: "application/json",
      headers: { first: n % 9 === 0, visitor: `V${n % 250}` },
    },
  };
}

function cart(n) {
  return {
    key: "cart.changed",
    body: json({ cart: n, customer: `C${10_000 + (n % 700)}`, items: items(n) }),
    properties: { persistent: true, messageId: `cart-${n}`, headers: { version: typed("int32", n) } },
  };
}

function items(n) {
  return Array.from({ length: 1 + (n % 4) }, (_, i) => ({
    article: `A${(n * 13 + i * 101) % 5000}`,
    count: 1 + ((n + i) % 3),
  }));
}

function money(n) {
  return (1000 + ((n * 37) % 90_000)) / 100;
}

function json(value) {
  return Buffer.from(JSON.stringify(value));
}

/** A header of just this wire type. */
function typed(type, value) {
  return { "!": type, value };
}
