import assert from 'node:assert/strict'
import { it } from 'node:test'
import { systemClock } from '@causeway/store/clock/system.ts'
import { openWorld, readEverything, talkHonestly } from './federation/world.ts'
import {
  sendKnownTricks,
  sendTwistedBodies,
  sendTwistedEdus,
  sendTwistedEvents,
} from './federation/transactions.ts'

const SEED = Number(process.env['CAUSEWAY_FUZZ_SEED'] ?? 1)

it('hostile', { timeout: 600_000 }, async (t) => {
  const now = (): number => systemClock.monotonic()
  const began = now()
  await using world = await openWorld()
  const lap = (what: string): void =>
    t.diagnostic(
      `${Math.round(now() - began)} ms: ${what}, sent ${world.sent}, faults ${world.faults.length}`,
    )
  lap('open')
  const phases = {
    events: (seed: number) => sendTwistedEvents(world, seed, 500),
    tricks: () => sendKnownTricks(world),
    bodies: () => sendTwistedBodies(world),
    edus: (seed: number) => sendTwistedEdus(world, seed, 300),
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
  const honest = await talkHonestly(world, 'still here', now)
  const { writeFileSync } = await import('node:fs')
  writeFileSync('/tmp/policy-honest.log', world.honest.log.join(''))
  writeFileSync('/tmp/policy-ours.log', world.ours.log.join(''))
  for (const r of [...world.rooms, ...world.strong])
    t.diagnostic(
      `${r.roomId} ${r.rules.version} ${world.strong.includes(r)} ${world.ours.log.filter((l) => l.includes('branches') && l.includes(r.roomId)).length}`,
    )
  lap(`honest ${honest}`)
  const groups = Map.groupBy(world.faults, (one) => one.slice(0, 60))
  for (const [g, list] of groups) t.diagnostic(`${list.length} x ${g} :: ${list[0]}`)
  const errs = Map.groupBy(
    world.ours.log.map((line) => JSON.parse(line)),
    (l) => `${l.level} ${l.message ?? l.msg}`,
  )
  for (const [g, list] of errs)
    t.diagnostic(`${list.length} x ${g} :: ${JSON.stringify(list[0]).slice(0, 1500)}`)
  assert.deepEqual(world.faults, [])
})
