import { randomBytes } from "node:crypto";
import path from "node:path";
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { GenericContainer, Wait } from "testcontainers";
import { containerLog, docker, removeContainer } from "./docker.ts";
import { freePort } from "./free-port.ts";
import { ownerLabels } from "./lab-run.ts";

/** A real S3 server: Ceph with its gateway. Disposal removes it and all that is in it. */
export interface S3Server extends AsyncDisposable {
  readonly containerId: string;
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  readonly user: S3User;
  /** With the rights of `user`. */
  readonly client: S3Client;
  /** With the rights of another. */
  clientOf(user: S3User): S3Client;
  /** An empty bucket, of `user` or another; resolves with its name. */
  makeBucket(owner?: S3User): Promise<string>;
  /** The same, whose objects can be locked. */
  makeLockBucket(): Promise<string>;
  /** A user with buckets of his own, and rights on no other. */
  makeUser(): Promise<S3User>;
  /** How many bytes all buckets of a user may hold. */
  limit(user: S3User, bytes: number): Promise<void>;
  /** All keys in a bucket, ascending. */
  keys(bucket: string): Promise<readonly string[]>;
  /** How many uploads were begun there and neither finished nor dropped. */
  unfinished(bucket: string): Promise<number>;
}

export interface S3User {
  readonly name: string;
  readonly accessKey: string;
  /** Easily found again wherever it should not be. */
  readonly secretKey: string;
  /** For the program's environment. */
  readonly env: Readonly<Record<string, string>>;
}

const SCRIPT = path.join(import.meta.dirname, "ceph-rgw.sh");
const PORT = 7480;

/** Resolves when it answers, twenty seconds later. */
export async function startS3Server(): Promise<S3Server> {
  process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true"; // its image may be out of reach; sweep.sh does its work
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
  const user = newUser();
  const port = await freePort();
  const image = process.env["MQBACKUP_IMAGE_CEPH_RGW"] ?? "mqbackup-lab/ceph-rgw:20.2";
  const container = await new GenericContainer(image)
    .withLabels(ownerLabels())
    .withCopyFilesToContainer([{ source: SCRIPT, target: "/ceph-rgw.sh" }])
    .withEntrypoint(["sh", "/ceph-rgw.sh", user.name, user.accessKey, user.secretKey])
    .withExposedPorts({ container: PORT, host: port })
    .withWaitStrategy(Wait.forLogMessage("S3 gateway is ready"))
    .withStartupTimeout(180_000)
    .start();
  const containerId = container.getId();
  const endpoint = `http://127.0.0.1:${port}`;
  const clientOf = ({ accessKey: accessKeyId, secretKey: secretAccessKey }: S3User): S3Client =>
    new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
  const client = clientOf(user);
  const admin = async (...args: string[]): Promise<void> => {
    await docker(["exec", containerId, "radosgw-admin", ...args]);
  };
  try {
    await client.send(new CreateBucketCommand({ Bucket: "first" }));
  } catch (error) {
    const log = await containerLog(containerId);
    await removeContainer(containerId);
    throw new Error(`the S3 server did not get ready; its log ends:\n${log}`, { cause: error });
  }
  return {
    containerId,
    endpoint,
    user,
    client,
    clientOf,
    async makeBucket(owner = user) {
      const Bucket = `b-${randomBytes(6).toString("hex")}`;
      await clientOf(owner).send(new CreateBucketCommand({ Bucket }));
      return Bucket;
    },
    async makeLockBucket() {
      const Bucket = `b-${randomBytes(6).toString("hex")}`;
      await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
      return Bucket;
    },
    async makeUser() {
      const other = newUser();
      const keys = [`--access-key=${other.accessKey}`, `--secret-key=${other.secretKey}`];
      await admin("user", "create", `--uid=${other.name}`, `--display-name=${other.name}`, ...keys);
      return other;
    },
    async limit({ name }, bytes) {
      const scope = ["--quota-scope=user", `--uid=${name}`];
      await admin("quota", "set", ...scope, `--max-size=${bytes}B`);
      await admin("quota", "enable", ...scope);
    },
    async keys(Bucket) {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
      return Contents.map(({ Key = "" }) => Key);
    },
    async unfinished(Bucket) {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
      return Uploads.length;
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await removeContainer(containerId);
    },
  };
}

function newUser(): S3User {
  const accessKey = `LAB${randomBytes(8).toString("hex").toUpperCase()}`;
  const secretKey = `s3cr3t-planted-${randomBytes(12).toString("hex")}`;
  return {
    name: `lab-${randomBytes(4).toString("hex")}`,
    accessKey,
    secretKey,
    env: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
  };
}
