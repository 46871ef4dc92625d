import type { BindingDefinition, Definitions, ExchangeDefinition } from "../../domain/definitions.ts";
import type { Abortable } from "../../ports/abortable.ts";
import type { ManagementApi } from "./management-api.ts";
import { listOf, objectOf, textOf, type JsonObject } from "./queue-facts.ts";

/**
 * What can be said without an administrator's tag, which `/definitions` asks for. Left out: exchanges every virtual host has, the
 * bindings every queue has, and what mqbackup made for itself.
 */
export async function readDefinitions(
  api: ManagementApi,
  vhost: string,
  options: Abortable = {},
): Promise<Definitions> {
  const at = encodeURIComponent(vhost);
  const read = async (path: string): Promise<readonly JsonObject[]> => {
    const answer = listOf(await api.get(path, options));
    if (answer === null) throw api.unexpected(path);
    return answer;
  };
  const exchanges = await read(`/exchanges/${at}?columns=name,type,durable,auto_delete,internal,arguments`);
  const bindings = await read(
    `/bindings/${at}?columns=source,destination,destination_type,routing_key,arguments`,
  );
  const policies = await read(`/policies/${at}`);
  return {
    vhost,
    exchanges: exchanges.flatMap(exchangeOf).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    bindings: bindings.flatMap(bindingOf),
    policies,
  };
}

function exchangeOf(facts: JsonObject): readonly ExchangeDefinition[] {
  const [name, type] = [textOf(facts["name"]), textOf(facts["type"])];
  if (name === null || type === null || name === "" || name.startsWith("amq.") || isOwn(name)) return [];
  return [
    {
      name,
      type,
      durable: facts["durable"] === true,
      autoDelete: facts["auto_delete"] === true,
      internal: facts["internal"] === true,
      arguments: objectOf(facts["arguments"]) ?? {},
    },
  ];
}

function bindingOf(facts: JsonObject): readonly BindingDefinition[] {
  const [source, destination, kind] = [
    textOf(facts["source"]),
    textOf(facts["destination"]),
    textOf(facts["destination_type"]),
  ];
  // The default exchange is bound to every queue by itself.
  if (source === null || source === "" || destination === null || isOwn(source) || isOwn(destination))
    return [];
  if (kind !== "queue" && kind !== "exchange") return [];
  return [
    {
      source,
      destination,
      destinationType: kind,
      routingKey: textOf(facts["routing_key"]) ?? "",
      arguments: objectOf(facts["arguments"]) ?? {},
    },
  ];
}

function isOwn(name: string): boolean {
  return name.startsWith("mqbackup.");
}
