import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
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
import { openWorld, readEverything, talkHonestly } from './federation/world.ts'

const SEED = Number(process.env['CAUSEWAY_FUZZ_SEED'] ?? 1)
const SCALE = Number(process.env['CAUSEWAY_FUZZ_SCALE'] ?? 1)

it('hostile', { timeout: 600_000 }, async (t) => {
  const now = (): number => systemClock.monotonic()
  const began = now()
  await using world = await openWorld()
  await using canary = await startCanary()
  const lap = (what: string): void =>
    console.log(
      `${Math.round(now() - began)} ms: ${what}, sent ${world.sent}, faults ${world.faults.length}, 5xx ${world.failures}`,
    )
  lap('open')
  const phases = {
    events: (seed: number) => sendTwistedEvents(world, seed, 200 * SCALE),
    tricks: () => sendKnownTricks(world),
    bodies: () => sendTwistedBodies(world),
    edus: (seed: number) => sendTwistedEdus(world, seed, 200 * SCALE),
    keys: (seed: number) => signWithBadKeys(world, seed),
    notary: (seed: number) => askBadNotary(world, seed),
    joins: (seed: number) => joinBadRooms(world, seed, 30 * SCALE),
    memberships: (seed: number) => sendBadMemberships(world, seed, 60 * SCALE),
    histories: (seed: number) => answerBadly(world, seed, 30 * SCALE),
    backfills: (seed: number) => backfillBadly(world, seed, 20 * SCALE),
    addresses: () => leadToPrivatePlaces(world, canary),
  }
  for (const round of [0, 1]) {
    for (const [name, phase] of Object.entries(phases)) {
      await phase(SEED + round * 1000)
      lap(name)
    }
    await readEverything(world)
    const measured = await world.ours.measure()
    lap(`read, ${JSON.stringify(measured)}`)
  }
  lap(`honest ${await talkHonestly(world, 'still here', now)}`)
  writeFileSync('/tmp/policy-honest.log', world.honest.log.join(''))
  writeFileSync('/tmp/policy-ours.log', world.ours.log.join(''))
  writeFileSync('/tmp/policy-faults.log', world.faults.join('\n'))
  t.diagnostic('x')
  assert.deepEqual(world.faults.slice(0, 20), [])
})
