import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Stay } from './member-changes.ts'
import { sharingOf, type ReaderRooms } from './sharing.ts'

/** Who is in which of three rooms, at first and after each step: the truth, followed step by step. */
const history = fc.record({
  start: fc.record({
    reader: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    other: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  }),
  steps: fc.array(fc.record({ who: fc.constantFrom('reader', 'other'), room: fc.nat(2) } as const), {
    maxLength: 12,
  }),
})

interface Followed {
  readonly stays: Map<number, { wasJoined: boolean; changes: { position: number; isJoined: boolean }[] }>
  readonly now: boolean[]
}

function follow(start: readonly boolean[]): Followed {
  return { stays: new Map(), now: [...start] }
}

function toggle(of: Followed, room: number, position: number): void {
  const stay = of.stays.get(room) ?? { wasJoined: of.now[room]!, changes: [] }
  of.now[room] = !of.now[room]
  stay.changes.push({ position, isJoined: of.now[room] })
  of.stays.set(room, stay)
}

const roomsOf = (joined: readonly boolean[]): number[] => [0, 1, 2].filter((room) => joined[room])

describe('when two users shared a room', () => {
  it('is found from joins and leaves as from following every step', () => {
    fc.assert(
      fc.property(history, ({ start, steps }) => {
        const people = { reader: follow(start.reader), other: follow(start.other) }
        const together = (): boolean => roomsOf(people.reader.now).some((room) => people.other.now[room])
        const atStart = together()
        let [atAnyTime, throughout] = [atStart, atStart]
        steps.forEach(({ who, room }, index) => {
          toggle(people[who], room, index + 1)
          atAnyTime ||= together()
          throughout &&= together()
        })
        const changing: ReadonlyMap<number, Stay> = people.reader.stays
        const steady = new Set(roomsOf(people.reader.now).filter((room) => !changing.has(room)))
        const mine = new Set([...steady, ...changing.keys()])
        const joined = new Set(roomsOf(people.other.now).filter((room) => mine.has(room)))
        const reader: ReaderRooms = { steady, changing }
        const found = sharingOf(reader, joined, people.other.stays)
        assert.deepEqual(found, { atStart, throughout, atAnyTime, atEnd: together() })
      }),
      { numRuns: 2_000 },
    )
  })
})
