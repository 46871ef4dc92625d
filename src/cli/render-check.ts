import type { Danger, ReadingVerdict } from "../domain/reading-recipe.ts";
import { describeRecipe } from "../domain/reading-plan.ts";
import type { CheckedQueue, CheckResult } from "../usecases/check.ts";
import { grouped, nameOf, severalVhosts } from "./render-backup.ts";
import { formatTable, visible, type Paint } from "./terminal-text.ts";
import { formatBytes, formatCount, formatCounted } from "./units.ts";

type Verdict = "readable" | "unsafe" | "refused";

function verdictOf({ recipe, refusal }: ReadingVerdict & Partial<Pick<CheckedQueue, "refusal">>): Verdict {
  if (recipe === null) return "unsafe";
  return refusal ? "refused" : "readable";
}

/** For `check`, and for `full --dry-run`, which does not try permissions. */
export function checkLines(
  {
    broker,
    management,
    queues,
    unknown,
  }: Omit<CheckResult, "queues"> & { readonly queues: readonly ReadingVerdict[] },
  paint: Paint,
): readonly string[] {
  const cluster = broker.clusterName === null ? "" : `, cluster ${visible(broker.clusterName)}`;
  const readable = queues.filter((queue) => verdictOf(queue) === "readable").length;
  return [
    `${visible(broker.product)} ${visible(broker.version)}${cluster}${management ? "" : ", without the management API"}`,
    "",
    ...verdictTable(queues, paint),
    ...verdictRemarks(queues, paint),
    "",
    `${formatCount(readable)} of ${formatCounted(queues.length, "queue")} can be read safely`,
    ...unknown.map((what) => `${paint("not known:", "yellow")} ${visible(what)}`),
  ];
}

export function verdictTable(queues: readonly ReadingVerdict[], paint: Paint): readonly string[] {
  const withVhost = severalVhosts(queues.map(({ queue }) => queue));
  const [title, ...lines] = formatTable(
    [
      ...(withVhost ? [{ title: "VHOST" }] : []),
      { title: "QUEUE" },
      { title: "TYPE" },
      { title: "READY", align: "right" },
      { title: "BODIES", align: "right" },
      { title: "CONSUMERS", align: "right" },
      { title: "VERDICT" },
      { title: "HOW" },
    ],
    queues.map((checked) => {
      const { queue, recipe, danger } = checked;
      return [
        ...(withVhost ? [visible(queue.vhost)] : []),
        visible(queue.name),
        queue.type,
        queue.counts.ready === null ? "?" : formatCount(queue.counts.ready),
        queue.readyBytes === null ? "?" : formatBytes(queue.readyBytes),
        queue.consumers === null ? "?" : formatCount(queue.consumers),
        verdictOf(checked),
        recipe === null ? (danger?.code ?? "") : describeRecipe(recipe),
      ];
    }),
  );
  return title === undefined ? [] : [paint(title, "dim"), ...lines];
}

export function verdictRemarks(
  queues: readonly (ReadingVerdict & Partial<Pick<CheckedQueue, "refusal">>)[],
  paint: Paint,
): readonly string[] {
  const withVhost = severalVhosts(queues.map(({ queue }) => queue));
  const lines = queues.flatMap(({ queue, danger, refusal }) => {
    const name = nameOf(queue, withVhost);
    return [
      ...(danger === null ? [] : dangerLines(name, "unsafe", danger, paint)),
      ...(refusal
        ? dangerLines(name, "refused", { message: refusal.message, hint: refusal.hint ?? "" }, paint)
        : []),
    ];
  });
  const costs = queues.flatMap((checked) =>
    checked.costs.map((text) => ({ name: nameOf(checked.queue, withVhost), text })),
  );
  const all = [
    ...lines,
    ...grouped(costs).map(({ names, text }) => `${paint("cost", "yellow")} of ${names}: ${text}`),
  ];
  return all.length === 0 ? [] : ["", ...all];
}

function dangerLines(
  name: string,
  what: string,
  { message, hint }: Pick<Danger, "message" | "hint">,
  paint: Paint,
) {
  return [
    `${paint(what, "red")} ${name}: ${visible(message)}`,
    ...(hint === "" ? [] : [`  ${paint("hint:", "yellow")} ${visible(hint)}`]),
  ];
}

/** Of `check`, and of the verdicts of `full --dry-run`. */
export function verdictJson(checked: ReadingVerdict & Partial<Pick<CheckedQueue, "refusal">>): unknown {
  const { queue, recipe, danger, costs, refusal } = checked;
  return {
    vhost: queue.vhost,
    name: queue.name,
    type: queue.type,
    ready: queue.counts.ready,
    readyBytes: queue.readyBytes,
    consumers: queue.consumers,
    verdict: verdictOf(checked),
    strategy: recipe === null ? null : describeRecipe(recipe),
    danger,
    refusal: refusal ? { code: refusal.code, message: refusal.message, hint: refusal.hint ?? null } : null,
    costs,
  };
}
