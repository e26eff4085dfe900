import type { HeadAdvance, SqlValue } from '../database.ts'
import type { SignPdu } from '../signer.ts'
import type { BatchMessage, Item, StepDef } from './protocol.ts'

/** A step with the place of its values in the batch's items. */
export interface DecodedStep {
  readonly def: StepDef
  /** −1: any number. */
  readonly expectRows: number
  readonly at: number
}

export interface DecodedWrite {
  readonly index: number
  readonly entries: number
  readonly historical: number
  readonly heads: readonly HeadAdvance[]
  readonly steps: readonly DecodedStep[]
}

/** A batch as a writer works on it, perhaps twice (replay): PDUs are signed once. */
export class Batch {
  readonly writes: readonly DecodedWrite[]
  readonly #items: readonly Item[]
  readonly #bytes: Uint8Array
  readonly #sign: SignPdu
  readonly #signed = new Map<number, Uint8Array>()

  constructor(message: BatchMessage, defs: readonly StepDef[], sign: SignPdu) {
    this.#items = message.items
    this.#bytes = message.bytes
    this.#sign = sign
    this.writes = decodeWrites(message, defs)
  }

  /** The values of a step; `position` and `historical` are the numbers before those that the write takes. */
  values(step: DecodedStep, position: number, historical: number): SqlValue[] {
    const { types } = step.def
    const items = this.#items
    const values: SqlValue[] = []
    let at = step.at
    for (let index = 0; index < types.length; index++) {
      switch (types[index]) {
        case 'p':
          values.push(position + 1 + (items[at++] as number))
          break
        case 'h':
          values.push(historical - 1 - (items[at++] as number))
          break
        case 'b': {
          const offset = items[at++] as number
          values.push(this.#bytes.subarray(offset, offset + (items[at++] as number)))
          break
        }
        case 'u':
          values.push(this.#pdu(at))
          at += 3
          break
        default:
          values.push(items[at++] as SqlValue)
      }
    }
    return values
  }

  /** Signs every PDU now, so that no lock is held while it is done. */
  signAll(): void {
    for (const write of this.writes) {
      for (const step of write.steps) if (step.def.types.includes('u')) this.values(step, 0, 0)
    }
  }

  #pdu(at: number): Uint8Array {
    let bytes = this.#signed.get(at)
    if (bytes === undefined) {
      const items = this.#items as readonly string[]
      bytes = this.#sign(items[at]!, items[at + 1]!, items[at + 2]!)
      this.#signed.set(at, bytes)
    }
    return bytes
  }
}

/** How many items a value of each type takes; 1 where not named. */
const WIDTH: { readonly [type: string]: number } = { b: 2, u: 3 }

function widthOf(types: string): number {
  let width = 0
  for (let index = 0; index < types.length; index++) width += WIDTH[types[index]!] ?? 1
  return width
}

function decodeWrites(message: BatchMessage, defs: readonly StepDef[]): DecodedWrite[] {
  const items = message.items as readonly number[]
  const writes: DecodedWrite[] = []
  let at = 0
  for (let index = 0; index < message.writes; index++) {
    const entries = items[at]!
    const historical = items[at + 1]!
    const headCount = items[at + 2]!
    at += 3
    const heads: HeadAdvance[] = []
    for (let count = 0; count < headCount; count++, at += 4) {
      const [roomNid, expectVersion, version] = [items[at]!, items[at + 1]!, items[at + 2]!]
      heads.push({ roomNid, expectVersion, version, head: message.items[at + 3] as string })
    }
    const steps: DecodedStep[] = []
    for (let count = items[at++]!; count > 0; count--) {
      const def = defs[items[at]!]!
      steps.push({ def, expectRows: items[at + 1]!, at: at + 2 })
      at += 2 + widthOf(def.types)
    }
    writes.push({ index, entries, historical, heads, steps })
  }
  return writes
}

/** The definitions that a writer was sent. */
export class KnownDefs {
  readonly list: StepDef[] = []
  learn(message: BatchMessage): void {
    if (message.reset) this.list.length = 0
    for (const def of message.defs) this.list.push(def)
  }
}
