import type { BindingDefinition, Definitions, ExchangeDefinition } from "./definitions.ts";

export interface Topology {
  /** In an order that lets each be declared when its turn comes. */
  readonly exchanges: readonly ExchangeDefinition[];
  readonly bindings: readonly BindingDefinition[];
}

/**
 * The exchanges and bindings by which messages reach these queues, also over several exchanges. What every broker has by itself
 * (the default exchange, amq.*) is not among the exchanges.
 */
export function topologyOf(definitions: Definitions, queueNames: readonly string[]): Topology {
  const reached = new Set<string>();
  const bindings = new Set<BindingDefinition>();
  let looked: { readonly type: BindingDefinition["destinationType"]; readonly names: ReadonlySet<string> };
  looked = { type: "queue", names: new Set(queueNames) };
  while (looked.names.size > 0) {
    const { type, names } = looked;
    const leading = definitions.bindings.filter(
      (binding) =>
        binding.destinationType === type && names.has(binding.destination) && binding.source !== "",
    );
    for (const binding of leading) bindings.add(binding);
    const sources = new Set(
      leading.map((binding) => binding.source).filter((source) => !reached.has(source)),
    );
    for (const source of sources) reached.add(source);
    looked = { type: "exchange", names: sources };
  }
  return {
    exchanges: definitions.exchanges.filter(
      ({ name }) => reached.has(name) && name !== "" && !name.startsWith("amq."),
    ),
    bindings: [...bindings],
  };
}
