import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { it } from 'node:test'
import { systemClock } from '@causeway/store/clock/system.ts'
import { leadToPrivatePlaces, startCanary } from './federation/addresses.ts'
import { answerBadly, backfillBadly } from './federation/histories.ts'
import { joinBadRooms, sendBadMemberships } from './federation/joins.ts'
import { askBadNotary, signWithBadKeys } from './federation/keys.ts'
import {
  sendKnownTricks,
  sendTwistedBodies,
  sendTwistedEdus,
  sendTwistedEvents,
} from './federation/transactions.ts'
import { dripEverything } from './federation/slow.ts'
import { openWorld, readEverything, talkHonestly, type World } from './federation/world.ts'

// The same is sent in every run; `FUZZ_SEED=random` looks further, and a seed repeats what it found:
// FUZZ_SEED=7 FUZZ_SCALE=10 npm test -- test/fuzz/federation.test.ts
const ASKED = process.env['FUZZ_SEED'] ?? '1'
const SEED = ASKED === 'random' ? randomInt(1, 2 ** 31) : Number(ASKED)
/** How much of what chance makes up is sent. */
const SCALE = Number(process.env['FUZZ_SCALE'] ?? 1)
/** What may remain in memory from a round of attacks once there was one: caches that fill up to their bounds. */
const MAX_GROWTH_BYTES = 24 * 1024 * 1024
const MAX_GROWTH_HANDLES = 100
/** While the enemy drips: its connections, ours to it, and a timer for each. */
const MAX_DRIPPING_HANDLES = 400
/** An honest message waits for nobody who drips: each of them is given up after half a minute at the earliest. */
const MAX_DELAY_MS = 25_000

/** A few of each kind: the first must not hide the others. */
function sample(faults: readonly string[]): string[] {
  const groups = Map.groupBy(faults, (fault) => fault.slice(0, 40))
  return [...groups.values()].flatMap((group) => group.slice(0, 3)).slice(0, 30)
}

interface Line {
  readonly level: string
  readonly message: string
}

const linesOf = ({ ours }: World): Line[] => ours.log.map((line) => JSON.parse(line) as Line)

it(
  'a hostile server gets no fault, no hang, no growing memory and no word to private addresses out of ours, and silences nobody',
  { timeout: 600_000 },
  async (t) => {
    const now = (): number => systemClock.monotonic()
    t.diagnostic(`FUZZ_SEED=${SEED} FUZZ_SCALE=${SCALE}`)
    await using world = await openWorld()
    await using canary = await startCanary()
    const phases: Record<string, (seed: number) => Promise<void>> = {
      events: (seed) => sendTwistedEvents(world, seed, Math.ceil(150 * SCALE)),
      tricks: () => sendKnownTricks(world),
      edus: (seed) => sendTwistedEdus(world, seed, Math.ceil(150 * SCALE)),
      memberships: (seed) => sendBadMemberships(world, seed, Math.ceil(40 * SCALE)),
      histories: (seed) => answerBadly(world, seed, Math.ceil(16 * SCALE)),
      joins: (seed) => joinBadRooms(world, seed, Math.ceil(12 * SCALE)),
      backfills: (seed) => backfillBadly(world, seed, Math.ceil(12 * SCALE)),
      keys: (seed) => signWithBadKeys(world, seed),
    }
    const attack = async (round: number): Promise<void> => {
      for (const [name, phase] of Object.entries(phases)) {
        const began = now()
        await phase(SEED + round * 1_000)
        t.diagnostic(`round ${round}, ${name}: ${Math.round(now() - began)} ms`)
      }
      await readEverything(world)
    }
    await attack(0)
    await sendTwistedBodies(world)
    await askBadNotary(world, SEED)
    await leadToPrivatePlaces(world, canary)
    const before = await world.ours.measure()
    await attack(1)
    const after = await world.ours.measure()
    const dripping = await dripEverything(world, async () => {
      const slowest = await talkHonestly(world, 'while it drips', now)
      return { slowest, ...(await world.ours.measure()) }
    })
    const dripped = await world.ours.measure()
    const slowest = await talkHonestly(world, 'still here', now)
    t.diagnostic(
      `while it drips an honest message takes ${Math.round(dripping.slowest)} ms at most; ` +
        `${dripping.handles - after.handles} handles and ${((dripping.bytes - after.bytes) / 1e6).toFixed(1)} MB more then, ` +
        `${dripped.handles - after.handles} and ${((dripped.bytes - after.bytes) / 1e6).toFixed(1)} MB more afterwards`,
    )
    const lines = linesOf(world)
    const growth = after.bytes - before.bytes
    t.diagnostic(
      `${world.sent} requests, seed ${SEED}; ${world.failures} answers from 500 on, each with its reason in the log; ` +
        `${(growth / 1e6).toFixed(1)} MB and ${after.handles - before.handles} handles more after the second round; ` +
        `an honest message takes ${Math.round(slowest)} ms at most`,
    )
    assert.deepEqual(sample(world.faults), [], `${world.faults.length} faults`)
    const errors = lines.filter(({ level }) => level === 'error')
    assert.deepEqual(errors.slice(0, 5), [], 'the server logged faults of its own')
    const told = lines.filter(({ message }) => message === 'request failed').length
    assert.ok(told >= world.failures, `${world.failures} answers from 500 on, and ${told} reasons in the log`)
    assert.ok(growth < MAX_GROWTH_BYTES, `it holds ${growth} bytes more`)
    assert.ok(after.handles - before.handles < MAX_GROWTH_HANDLES, `it holds ${after.handles} handles`)
    assert.ok(dripping.slowest < MAX_DELAY_MS, `a message took ${dripping.slowest} ms while it dripped`)
    assert.ok(dripping.handles - after.handles < MAX_DRIPPING_HANDLES, `it holds ${dripping.handles} handles`)
    assert.ok(dripped.handles - after.handles < MAX_GROWTH_HANDLES, `it keeps ${dripped.handles} handles`)
    assert.ok(dripped.bytes - after.bytes < MAX_GROWTH_BYTES, `it keeps ${dripped.bytes} bytes`)
  },
)
