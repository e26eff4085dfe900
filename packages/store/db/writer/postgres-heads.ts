import { integerArray, textArray } from '../postgres-types.ts'
import type { DecodedWrite } from './decode-batch.ts'

/** A room's row as a batch changes it, however many writes of the batch moved it on. */
export interface MergedHead {
  /** The version in the table before this batch. */
  readonly from: number
  readonly version: number
  readonly head: string
}

/** Compare-and-set of many rooms; the number of rows tells whether all were as expected. */
export const ADVANCE_HEADS =
  'UPDATE rooms SET version = next.version, head = next.head ' +
  'FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS next (nid, expected, version, head) ' +
  'WHERE rooms.nid = next.nid AND rooms.version = next.expected'

/** Takes note of a write's heads, all or none. False: an earlier write of the batch has moved the room on. */
export function mergeHeads(heads: Map<number, MergedHead>, write: DecodedWrite): boolean {
  const undo: [number, MergedHead | undefined][] = []
  for (const { roomNid, expectVersion, version, head } of write.heads) {
    const earlier = heads.get(roomNid)
    if (earlier !== undefined && earlier.version !== expectVersion) {
      for (const [room, before] of undo.toReversed()) {
        if (before === undefined) heads.delete(room)
        else heads.set(room, before)
      }
      return false
    }
    undo.push([roomNid, earlier])
    heads.set(roomNid, { from: earlier?.from ?? expectVersion, version, head })
  }
  return true
}

/** The parameters of `ADVANCE_HEADS`. */
export function headParams(heads: ReadonlyMap<number, MergedHead>): string[] {
  const values = [...heads.values()]
  return [
    integerArray([...heads.keys()]),
    integerArray(values.map((head) => head.from)),
    integerArray(values.map((head) => head.version)),
    textArray(values.map((head) => head.head)),
  ]
}
