import process from "node:process";
import { S3Client } from "@aws-sdk/client-s3";
import type { S3Location } from "../../domain/s3-location.ts";
import { S3Retries, TRIES, WAIT_MS } from "./s3-retries.ts";
import { keepToRate } from "./s3-upload-rate.ts";
import type { UploadRate } from "./upload-rate.ts";

/** A bucket, and how it is talked to. */
export interface S3Bucket {
  readonly client: S3Client;
  readonly location: S3Location;
  readonly patience: S3Patience;
}

export interface S3Patience {
  /** Before the second try of what failed. */
  readonly waitMs: number;
  /** A connection on which nothing moves for so long is given up, and the request tried again. */
  readonly silenceMs: number;
}

const PATIENCE: S3Patience = { waitMs: WAIT_MS, silenceMs: 60_000 };

const CONNECT_TIMEOUT_MS = 10_000;
/** More than uploads, a listing's reads and a lease need at once. */
const CONNECTIONS = 64;

/** S3-compatible stores take any; the signature needs one. */
const SOME_REGION = "us-east-1";

/** Credentials and whatever the target leaves open come from where the AWS SDK looks: environment, shared files, the machine's role. */
export function s3Bucket(
  location: S3Location,
  uploadRate: UploadRate | null,
  patience: S3Patience = PATIENCE,
): S3Bucket {
  const { endpoint, profile, pathStyle } = location;
  // What runs on which Node.js is for mqbackup to say; otherwise the SDK prints it to everyone's standard error.
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const region = location.region ?? (endpoint === null ? null : (process.env["AWS_REGION"] ?? SOME_REGION));
  const client = new S3Client({
    ...(endpoint === null ? { followRegionRedirects: true } : { endpoint }),
    ...(region === null ? {} : { region }),
    ...(profile === null ? {} : { profile }),
    forcePathStyle: pathStyle,
    maxAttempts: TRIES,
    retryStrategy: new S3Retries(patience.waitMs),
    requestChecksumCalculation: "WHEN_SUPPORTED",
    // Everything read is compared with its SHA-256 anyway.
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: patience.silenceMs,
      httpAgent: { keepAlive: true, maxSockets: CONNECTIONS },
      httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS },
    },
    logger: SILENT,
  });
  if (uploadRate !== null) keepToRate(client, uploadRate);
  return { client, location, patience };
}

/** Failures are thrown; the SDK's advice is for programmers. */
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}
