import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { clientRoutes } from '../../client/routes.ts'
import { appendEvent } from '../../rooms/append-event.ts'
import { writeToRoom } from '../../rooms/write-to-room.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import { federationRoutes } from '../routes.ts'

const WORKER = new URL('./crash-worker.ts', import.meta.url).pathname
const JOINER = 'joiner.test'
/** More than one portion of 500. */
const MEMBERS = 600

async function makeCrowd(one: FederatedServer, two: FederatedServer): Promise<RoomId> {
  const [alice, carol] = [await one.register('alice'), await two.register('carol')]
  const made = await one.request('POST', '/_matrix/client/v3/createRoom', {
    token: alice.token,
    body: { preset: 'public_chat' },
  })
  const roomId = made.json()['room_id'] as RoomId
  await writeToRoom(one.hs.rooms, roomId, async (write) => {
    for (let i = 0; i < MEMBERS; i++) {
      const userId = `@member${i}:${one.name}` as UserId
      const content = { membership: 'join' }
      await appendEvent(one.hs.rooms, write, {
        type: 'm.room.member',
        sender: userId,
        stateKey: userId,
        content,
      })
    }
    return { value: undefined }
  })
  const url = `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?via=${one.name}`
  const joined = await two.request('POST', url, { token: carol.token, body: {} })
  assert.equal(joined.status, 200)
  await two.hs.joining.completion.idle()
  return roomId
}

for (const { name, skip, create } of await findTestDrivers()) {
  test(
    `${name}: members that arrive go on arriving after kill -9, by way of another server`,
    { skip },
    async () => {
      await using world = await startFederatedServers(2, {
        endpoints: [...clientRoutes, ...federationRoutes],
      })
      await using database = await create()
      const [one, two] = world.servers as [FederatedServer, FederatedServer]
      const { authority, ports } = world.network
      const roomId = await makeCrowd(one, two)
      const folder = await mkdtemp(path.join(tmpdir(), 'joining-crash-'))
      const issued = authority.issue(JOINER)
      await Promise.all([
        writeFile(path.join(folder, 'authority.pem'), authority.certificate),
        writeFile(path.join(folder, 'joiner.pem'), issued.certificate),
        writeFile(path.join(folder, 'joiner.key'), issued.key),
      ])
      const { config } = database
      const where = config.kind === 'sqlite' ? { path: config.path } : { path: '', url: config.url }
      const orders = { folder, database: { pool_size: 2, ...where }, roomId, via: [one.name, two.name] }
      /** Runs the joiner to its end; what it said. */
      const run = async (killAt: number): Promise<{ lines: string[]; signal: unknown }> => {
        const known = Object.fromEntries(ports)
        const child = spawn(process.execPath, [WORKER, JSON.stringify({ ...orders, ports: known, killAt })], {
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        const closed = once(child, 'close')
        child.stdin.on('error', () => undefined)
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          const port = /port (\d+)\n/.exec(chunk)?.[1]
          if (port === undefined) return
          ports.set(JOINER, Number(port))
          child.stdin.write('go\n')
        })
        const [said, [, signal]] = await Promise.all([text(child.stdout), closed])
        return { lines: said.split('\n'), signal }
      }
      try {
        const first = await run(500)
        assert.equal(first.signal, 'SIGKILL')
        const stored = first.lines.filter((line) => line.startsWith('stored'))
        assert.equal(stored.length, 1, stored.join())
        // Who we joined by is gone, and the others know of our join.
        await one.hs.outbound.idle()
        await one.switchOff()
        const second = await run(0)
        assert.equal(second.signal, null)
        assert.ok(second.lines.includes(`members ${MEMBERS + 3} partial 0`), second.lines.join())
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
}
