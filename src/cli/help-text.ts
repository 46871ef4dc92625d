import { EXIT_STATUSES } from "./exit-status.ts";
import type { CommandName } from "./setting-entry.ts";

export const SUMMARIES: Readonly<Record<CommandName, string>> = {
  full: "snapshot queues into a full backup",
  incremental: "snapshot queues, store only what the backup before does not hold",
  restore: "put the messages of a backup back into queues",
  drill: "prove a backup: restore it into a virtual host made for that, compare, remove it again",
  list: "list the backups at a target",
  show: "show one backup, queue by queue",
  diff: "compare two backups queue by queue: messages kept, added, gone",
  cat: "print the messages of a backup as JSON lines",
  verify: "check what is stored, as deep as is asked for; changes nothing",
  compact: "make a full backup of an incremental, without the broker, so that old ones can go",
  copy: "bring further targets up to the first: put what they lack, replace what is damaged there",
  rekey: "encrypt the keys of backups for others than before; their volumes stay as they are",
  prune: "remove backups that no rule keeps and no other needs; only says what would go unless confirmed",
  mark: "protect a backup: prune never removes it",
  unmark: "take a backup's mark away again",
  check: "can this user read these queues safely, and at what cost? touches nothing",
};

const SETTINGS = `
Settings:
  Every flag can also be set in the environment (--max-hold as MQBACKUP_MAX_HOLD, several values
  separated by commas or lines) or in a configuration file (maxHold: 10m). Flags win over the
  environment, the environment over the file. Passwords: MQBACKUP_PASSWORD_FILE, MQBACKUP_PASSWORD,
  or in the URLs of environment and file; never on the command line.`;

export function epilogue(): string {
  const statuses = EXIT_STATUSES.map(([status, meaning]) => `  ${String(status).padStart(3)}  ${meaning}`);
  return `
Examples:
  mqbackup check --url amqps://backup@rabbit.example/orders
  mqbackup full --url amqps://backup@rabbit.example/orders --target /var/backups/rabbitmq
  mqbackup incremental --url amqps://backup@rabbit.example/orders --target /var/backups/rabbitmq
  mqbackup list --target /var/backups/rabbitmq
  mqbackup restore --id latest --queue 'orders.*' --target /var/backups/rabbitmq
${SETTINGS}

Exit statuses:
${statuses.join("\n")}
`;
}

export const EXAMPLES: Readonly<Record<CommandName, string>> = {
  full: examples(
    "mqbackup full --target /var/backups/rabbitmq",
    "mqbackup full --queue 'orders.*' --exclude '*.dlq' --target /backups/a --target /backups/b",
    "mqbackup full --management-url none --queue orders --queue-type classic --target /backups",
  ),
  incremental: examples(
    "mqbackup incremental --target /var/backups/rabbitmq",
    "mqbackup incremental --base 20261121-193200F --require-base",
  ),
  restore: examples(
    "mqbackup restore --id latest --target /var/backups/rabbitmq",
    "mqbackup restore --id 20261121 --queue orders --map 'orders=orders.restored' --dry-run",
    "mqbackup restore --id latest --to-vhost staging --read-back",
    "mqbackup restore --id latest --queue orders.dlq --to-origin --dry-run",
  ),
  drill: examples(
    "mqbackup drill --id latest --url amqp://drill@spare.example --target /var/backups/rabbitmq",
    "mqbackup drill --id latest --queue 'orders.*' --quiet",
  ),
  list: examples(
    "mqbackup list --target /var/backups/rabbitmq",
    "mqbackup list --json | jq -r '.backups[-1].id'",
  ),
  show: examples("mqbackup show latest --target /var/backups/rabbitmq"),
  diff: examples("mqbackup diff 20261121-193200F latest --queue 'orders.*'"),
  cat: examples(
    "mqbackup cat latest --queue orders --limit 10 | jq .properties",
    `mqbackup cat latest --from-seq 100 --where 'routing_key.startsWith("order.")'`,
    "mqbackup cat latest --queue orders --body raw > bodies",
  ),
  verify: examples(
    "mqbackup verify --target /var/backups/rabbitmq",
    "mqbackup verify --sample 5%",
    "mqbackup verify latest --records --json",
  ),
  copy: examples(
    "mqbackup copy --target /var/backups/rabbitmq --target /mnt/elsewhere",
    "mqbackup copy latest --target /var/backups/rabbitmq --target /mnt/elsewhere --dry-run",
    "mqbackup copy --checksum --target /mnt/elsewhere --target /var/backups/rabbitmq",
  ),
  rekey: examples(
    "mqbackup rekey --identity-file old.txt --recipient age1... --dry-run --target /var/backups/rabbitmq",
    "mqbackup rekey --passphrase-file old --new-passphrase-file new --target /var/backups/rabbitmq",
  ),
  prune: examples(
    "mqbackup prune --keep-daily 14 --keep-monthly 12 --target /var/backups/rabbitmq",
    "mqbackup prune --set nightly --keep-within 14d --keep-full 2 --confirm --quiet",
  ),
  mark: examples("mqbackup mark 20261121-193200F --target /var/backups/rabbitmq"),
  unmark: examples("mqbackup unmark 20261121-193200F --target /var/backups/rabbitmq"),
  compact: examples(
    "mqbackup compact latest --dry-run --target /var/backups/rabbitmq",
    "mqbackup compact 20261122-020000I --target /var/backups/rabbitmq",
  ),
  check: examples("mqbackup check --queue 'orders.*'", "mqbackup check --print-settings"),
};

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n\nExit statuses and settings: mqbackup --help`;
}
