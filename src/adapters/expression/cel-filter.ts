import { Environment, EvaluationError, ParseError, TypeError as CheckError } from "@marcbachmann/cel-js";
import { BackupError } from "../../domain/errors.ts";
import { nearest } from "../../domain/nearest.ts";
import { describeQueue } from "../../domain/queue.ts";
import type { MessageFilter, PlacedMessage } from "../../ports/message-filter.ts";
import { MessageVariables, VARIABLE_TYPES } from "./message-variables.ts";

/**
 * A condition in the Common Expression Language (CEL), parsed and checked: it knows nothing but the message it is asked about, and
 * can do nothing but answer. Throws USAGE, naming the place, when it is wrong or no condition.
 */
export function celFilter(text: string): MessageFilter {
  const evaluate = compiled(text);
  return {
    text,
    matches(message) {
      let answer: unknown;
      try {
        answer = evaluate(new MessageVariables(message));
      } catch (error) {
        throw notEvaluated(message, error);
      }
      if (typeof answer === "boolean") return answer;
      throw notEvaluated(message, new RangeError("it gives neither true nor false"));
    },
  };
}

const EXAMPLE = `Write a condition, for instance: routing_key.startsWith("order.") && headers.tenant == "acme".`;

function compiled(text: string): (variables: MessageVariables) => unknown {
  const environment = newEnvironment();
  const parsed = parse(environment, text);
  const { valid, type, error } = parsed.check();
  if (!valid) throw wrong(error);
  if (type === "bool" || type === "dyn") return parsed;
  throw new BackupError("USAGE", `--where is no condition: it gives a value of type ${type}`, {
    hint: EXAMPLE,
  });
}

function newEnvironment(): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true });
  for (const [name, type] of Object.entries(VARIABLE_TYPES)) environment.registerVariable(name, type);
  return environment;
}

function parse(environment: Environment, text: string): ReturnType<Environment["parse"]> {
  try {
    return environment.parse(text);
  } catch (error) {
    throw wrong(error);
  }
}

function wrong(error: unknown): BackupError {
  if (!(error instanceof ParseError) && !(error instanceof CheckError)) {
    return new BackupError("USAGE", `--where cannot be understood: ${messageOf(error)}`, {
      hint: EXAMPLE,
      cause: error,
    });
  }
  const { code, range, node } = error;
  const place = range === undefined ? "" : ` at character ${range.start + 1}`;
  const name = code === "unknown_variable" ? (node?.input?.slice(range?.start, range?.end) ?? "") : "";
  return new BackupError("USAGE", `--where is wrong${place}: ${messageOf(error)}`, {
    hint: name === "" ? EXAMPLE : hintFor(name),
    cause: error,
  });
}

function hintFor(name: string): string {
  const names = Object.keys(VARIABLE_TYPES);
  const meant = nearest(name, names);
  return meant === null
    ? `There are: ${names.join(", ")}. Text is written in quotes.`
    : `Did you mean ${meant}? Text is written in quotes.`;
}

function notEvaluated({ queue, sequence }: PlacedMessage, error: unknown): BackupError {
  const which = `the message of sequence ${sequence} of ${describeQueue(queue)}`;
  return new BackupError("USAGE", `--where cannot be evaluated for ${which}: ${messageOf(error)}`, {
    hint: `Say what is to become of such messages, for instance: has(headers.tenant) && headers.tenant == "acme", or is_json && json.total > 10.`,
    cause: error,
  });
}

/** One line, beginning small, as our messages do. */
function messageOf(error: unknown): string {
  const message =
    error instanceof ParseError || error instanceof CheckError || error instanceof EvaluationError
      ? error.summary
      : error instanceof Error
        ? error.message
        : String(error);
  const line = message.replaceAll(/\s+/g, " ").trim().replace(/\.$/, "");
  return line.charAt(0).toLowerCase() + line.slice(1);
}
