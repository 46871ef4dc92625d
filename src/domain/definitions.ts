/** What surrounds the queues of one virtual host, as the management API tells it; enough to route to them again. */
export interface Definitions {
  readonly vhost: string;
  readonly exchanges: readonly ExchangeDefinition[];
  readonly bindings: readonly BindingDefinition[];
  /** Kept for people; restoring policies is left to the broker's own definitions import. */
  readonly policies: readonly Readonly<Record<string, unknown>>[];
}

export interface ExchangeDefinition {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface BindingDefinition {
  readonly source: string;
  readonly destination: string;
  readonly destinationType: "queue" | "exchange";
  readonly routingKey: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}
