import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { findServerDrivers } from '../../test-server.ts'
import { roomPath, startStage, type OutboundStage } from './test-peers.ts'

type Action =
  | { readonly do: 'say' | 'settle' | 'restart' }
  | { readonly do: 'join' | 'leave' | 'kick'; readonly server: number }
  | { readonly do: 'part' | 'heal' | 'lose an answer'; readonly server: number }
interface Step {
  readonly room: number
  readonly action: Action
}

const ROOMS = 2
const SERVERS = 3

const server = fc.nat(SERVERS - 1)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Action>({ do: 'say' }) },
  { weight: 3, arbitrary: fc.constant<Action>({ do: 'settle' }) },
  { weight: 1, arbitrary: fc.constant<Action>({ do: 'restart' }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('join', 'leave', 'kick', 'part', 'heal', 'lose an answer'),
      server,
    }) as fc.Arbitrary<Action>,
  },
)
const steps = fc.array(fc.record({ room: fc.nat(ROOMS - 1), action }), { minLength: 5, maxLength: 40 })

let run = 0

/** Two rooms, three servers that come, go and cannot be reached, and what each of them ought to have got. */
class World {
  readonly stage: OutboundStage
  readonly names: ServerName[]
  readonly rooms: RoomId[] = []
  readonly joined: Set<number>[] = []
  readonly expected: string[][]
  readonly away = new Set<string>()
  readonly losing = new Set<string>()
  #said = 0

  constructor(stage: OutboundStage) {
    this.stage = stage
    const id = run++
    this.names = Array.from({ length: SERVERS }, (_, n) => `s${n}-${id}.example` as ServerName)
    this.expected = this.names.map(() => [])
    stage.peers.answer = ({ server: name }) => {
      if (this.away.has(name)) return { kind: 'unreachable' }
      return this.losing.delete(name) ? { kind: 'malformed' } : { pdus: {} }
    }
  }

  async begin(): Promise<void> {
    for (let n = 0; n < ROOMS; n++) {
      this.rooms.push(await this.stage.makeRoom())
      this.joined.push(new Set())
    }
  }

  async do({ room, action: one }: Step): Promise<void> {
    if (!('server' in one)) await this.#here(room, one.do)
    else if (one.do === 'part') this.away.add(this.names[one.server]!)
    else if (one.do === 'heal') this.#heal(one.server)
    else if (one.do === 'lose an answer') this.losing.add(this.names[one.server]!)
    else await this.#move(room, one.server, one.do)
  }

  async end(): Promise<void> {
    this.losing.clear()
    for (let n = 0; n < SERVERS; n++) this.#heal(n)
    await this.stage.settled()
    for (let n = 0; n < SERVERS; n++) this.#heal(n)
    await this.stage.settled()
  }

  async #here(room: number, what: 'say' | 'settle' | 'restart'): Promise<void> {
    if (what === 'say') await this.#say(room)
    else if (what === 'settle') await this.stage.settled()
    else this.stage.server = await this.stage.server.restart()
  }

  #heal(n: number): void {
    this.away.delete(this.names[n]!)
    this.stage.server.hs.outbound.heardFrom(this.names[n]!)
  }

  async #say(room: number): Promise<void> {
    const text = `${room}:${this.#said++}`
    await this.stage.say(this.rooms[room]!, text)
    for (const n of this.joined[room]!) this.expected[n]!.push(text)
  }

  async #move(room: number, n: number, how: 'join' | 'leave' | 'kick'): Promise<void> {
    const isIn = this.joined[room]!.has(n)
    if (isIn === (how === 'join')) return
    const userId = `@u:${this.names[n]!}`
    if (how === 'kick') {
      const path = `${roomPath(this.rooms[room]!)}/kick`
      await this.stage.call(this.stage.alice, 'POST', path, { user_id: userId })
      for (const m of this.joined[room]!) this.expected[m]!.push(`${room}:put out ${n}`)
    } else await this.stage.member(this.rooms[room]!, userId, how)
    if (how === 'join') this.joined[room]!.add(n)
    else this.joined[room]!.delete(n)
  }

  got(n: number): string[] {
    return this.stage.peers.pdus(this.names[n]!).map((pdu) => {
      const room = this.rooms.indexOf(pdu['room_id'] as RoomId)
      const key = pdu['state_key'] as string | undefined
      if (key === undefined) return (pdu['content'] as JsonObject)['body'] as string
      return `${room}:put out ${this.names.findIndex((name) => key.endsWith(`:${name}`))}`
    })
  }
}

for (const driver of await findServerDrivers()) {
  test(
    `${driver.name}: whatever is parted and restarted in between, each server gets what it shall have, once and in order`,
    { skip: driver.skip },
    async () => {
      await using stage = await startStage(driver)
      const property = fc.asyncProperty(steps, async (all) => {
        const world = new World(stage)
        await world.begin()
        for (const step of all) await world.do(step)
        await world.end()
        const inRoom = (texts: readonly string[], room: number): string[] =>
          texts.filter((text) => text.startsWith(`${room}:`))
        for (let n = 0; n < SERVERS; n++) {
          const got = world.got(n)
          for (let room = 0; room < ROOMS; room++) {
            assert.deepEqual(inRoom(got, room), inRoom(world.expected[n]!, room))
          }
        }
        const bodies = new Map<string, string>()
        for (const { server: name, txnId, body } of stage.peers.arrivals) {
          assert.equal(bodies.get(`${name} ${txnId}`) ?? body, body)
          bodies.set(`${name} ${txnId}`, body)
        }
      })
      await fc.assert(property, { numRuns: 12, endOnFailure: true })
      const left = await stage.server.hs.db.query('SELECT server_name FROM outbound_rooms', [])
      assert.deepEqual(left, [])
    },
  )
}
