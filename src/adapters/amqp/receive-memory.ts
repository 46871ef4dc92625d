import { Duplex } from "node:stream";

const SLAB_BYTES = 1024 * 1024;
/** Room for one read at least. */
const LANDING_BYTES = 64 * 1024;

export interface FrameReader {
  /**
   * Takes the whole frames of memory[from..to) and gives the place behind the last; the rest comes again, together with what has
   * arrived meanwhile.
   */
  take(memory: Buffer, from: number, to: number): number;
  /** The other side has sent something. */
  arrived(): void;
  /** The socket is not read any more, or is read again. */
  stopped(isStopped: boolean): void;
}

interface Slab {
  readonly memory: Buffer;
  /** The batch that looks into it; it is free when that has been given back. */
  keptFor: number;
}

/**
 * Memory that a socket is read into, used again and again: what arrives is parsed and looked at where it lies. Left to itself Node
 * takes new memory for every read, and its garbage collection then costs as much as all the rest of reading.
 *
 * Two slabs are filled by turns. While batches that are still in use keep both, nothing is read, and TCP slows the broker down.
 */
export class ReceiveMemory {
  /** For the options of the socket; not for two sockets. */
  readonly onread: { buffer: () => Uint8Array; callback: (bytes: number) => boolean };
  readonly #slabBytes: number;
  /** Where the socket is read into as long as nobody takes frames, or before it is known which slab has room. */
  readonly #landing: Buffer;
  #target: Buffer;
  #slabs: Slab[] = [];
  #reader: FrameReader | null = null;
  #stream: Duplex | null = null;
  #slab: Slab = { memory: Buffer.alloc(0), keptFor: 0 };
  #from = 0;
  #to = 0;
  #batch = 1;
  #givenBack = 0;
  #paused = false;
  /** No slab is free. */
  #stuck = false;
  #mayGrow = false;
  #taking = false;

  /** `slabBytes`: twice the largest frame at least. */
  constructor(slabBytes = SLAB_BYTES) {
    this.#slabBytes = slabBytes;
    this.#landing = Buffer.allocUnsafeSlow(Math.min(LANDING_BYTES, slabBytes >> 2));
    this.#target = this.#landing;
    const arrived = (stream: unknown, bytes: number): boolean => this.#arrived(stream, bytes);
    this.onread = {
      buffer: () => this.#target,
      callback(this: unknown, bytes: number) {
        return arrived(this, bytes);
      },
    };
  }

  /** From now on what arrives goes to the reader, after what had arrived `before`; until now it went to the socket's own stream. */
  attach(stream: Duplex, before: Buffer, reader: FrameReader): void {
    this.#stream = stream;
    this.#reader = reader;
    this.#slab = this.#newSlab(before.length);
    this.#to = before.copy(this.#slab.memory);
    if (before.length > 0) setImmediate(() => this.#goOn());
  }

  /** What was taken last is looked at until the batch under way is given back. */
  keep(): void {
    this.#slab.keptFor = this.#batch;
  }

  /** What was kept so far is a batch, handed over to be looked at. */
  handOver(): void {
    this.#batch += 1;
  }

  /** Nobody looks at what was handed over any more. */
  giveBack(): void {
    this.#givenBack = this.#batch - 1;
    if (this.#stuck) this.#goOn();
  }

  /** Nothing is taken any more. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#goOn();
  }

  /** Never waits for a batch from now on: new memory is used where none is free. */
  grow(): void {
    this.#mayGrow = true;
    if (this.#stuck) this.#goOn();
  }

  /** False: to be read no more for now. */
  #arrived(stream: unknown, bytes: number): boolean {
    if (this.#reader === null) {
      return stream instanceof Duplex && stream.push(Buffer.from(this.#landing.subarray(0, bytes)));
    }
    this.#reader.arrived();
    if (this.#target === this.#landing) this.#landing.copy(this.#slab.memory, this.#to, 0, bytes);
    this.#to += bytes;
    const isOn = this.#advance();
    this.#target = isOn ? this.#slab.memory.subarray(this.#to) : this.#landing;
    if (!isOn) this.#reader.stopped(true);
    return isOn;
  }

  #goOn(): void {
    if (this.#taking) return;
    const isOn = this.#advance();
    this.#reader?.stopped(!isOn);
    // The first read lands elsewhere: the socket was told where before it was known which slab has room.
    if (isOn) this.#stream?.read(0);
  }

  /** Takes what can be taken and makes room for more. False: it is not to be read on. */
  #advance(): boolean {
    if (this.#paused || this.#reader === null) return false;
    this.#taking = true;
    try {
      this.#from = this.#reader.take(this.#slab.memory, this.#from, this.#to);
    } finally {
      this.#taking = false;
    }
    const { memory, keptFor } = this.#slab;
    if (this.#from === this.#to && keptFor <= this.#givenBack) this.#from = this.#to = 0;
    if (this.#paused) return false;
    this.#stuck = memory.length - this.#to < this.#landing.length && !this.#turn();
    return !this.#stuck;
  }

  /** To the next slab, with what is not taken yet. False: none is free. */
  #turn(): boolean {
    const next = this.#freeSlab();
    if (next === null) return false;
    this.#to = this.#slab.memory.copy(next.memory, 0, this.#from, this.#to);
    this.#from = 0;
    this.#slab = next;
    return true;
  }

  #freeSlab(): Slab | null {
    const free = this.#slabs.find((each) => each !== this.#slab && each.keptFor <= this.#givenBack);
    if (free) return free;
    if (this.#slabs.length >= 2 && !this.#mayGrow) return null;
    // Those that are dropped live as long as somebody looks at them.
    if (this.#slabs.length >= 2) this.#slabs = [this.#slab];
    return this.#newSlab(0);
  }

  #newSlab(least: number): Slab {
    const bytes = Math.max(this.#slabBytes, 2 * least);
    const slab = { memory: Buffer.allocUnsafeSlow(bytes), keptFor: 0 };
    this.#slabs.push(slab);
    return slab;
  }
}
