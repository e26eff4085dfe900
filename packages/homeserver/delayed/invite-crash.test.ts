import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { clientRoutes } from '../client/routes.ts'
import { federationRoutes } from '../federation/routes.ts'
import { startFederatedServers, type FederatedServer } from '../test-federation.ts'
import type { Orders } from './invite-crash-worker.ts'

const WORKER = new URL('./invite-crash-worker.ts', import.meta.url).pathname
const INVITER = 'inviter.test'

/** Invitations of a user that a server holds, in the order in which they came. */
async function invitationsHeld({ hs }: FederatedServer, userId: string): Promise<unknown[]> {
  const rows = await hs.db.query<{ event_id: string; json: string | Uint8Array }>(
    'SELECT event_id, json FROM events ORDER BY nid',
    [],
  )
  const events = rows.map((row) => ({
    ...row,
    pdu: JSON.parse(Buffer.from(row.json as string).toString()) as JsonObject,
  }))
  return events.filter(({ pdu }) => pdu['state_key'] === userId).map(({ event_id: id }) => id)
}

/** From now on it looks at no invitation while they are held; `asked` is how often it was sent one. */
function holdInvitations({ router }: FederatedServer): { let(): void; hold(): void; asked(): number } {
  let gate = Promise.withResolvers<void>()
  let count = 0
  const handle = router.handle.bind(router)
  router.handle = async (...[request, response]: Parameters<typeof handle>) => {
    const isInvitation = request.url?.includes('/invite/') === true
    if (isInvitation) count++
    if (isInvitation) await gate.promise
    return handle(request, response)
  }
  return {
    let: () => gate.resolve(),
    hold: () => void (gate = Promise.withResolvers()),
    asked: () => count,
  }
}

for (const { name, skip, create } of await findTestDrivers()) {
  test(`${name}: kill -9 makes no second invitation of one that was to be sent later`, { skip }, async () => {
    await using world = await startFederatedServers(1, { endpoints: [...clientRoutes, ...federationRoutes] })
    await using database = await create()
    const [one] = world.servers as [FederatedServer]
    const bob = await one.register('bob')
    const { authority, ports } = world.network
    const gate = holdInvitations(one)
    const folder = await mkdtemp(path.join(tmpdir(), 'invite-crash-'))
    const issued = authority.issue(INVITER)
    await Promise.all([
      writeFile(path.join(folder, 'authority.pem'), authority.certificate),
      writeFile(path.join(folder, 'own.pem'), issued.certificate),
      writeFile(path.join(folder, 'own.key'), issued.key),
    ])
    const { config } = database
    const where = config.kind === 'sqlite' ? { path: config.path } : { path: '', url: config.url }
    /** Runs the inviter to its end: the invitations of its room, where it came to tell of them. */
    const run = async (killed: 'signed' | 'written' | 'never'): Promise<unknown> => {
      const orders: Orders = {
        folder,
        serverName: INVITER,
        database: { pool_size: 2, ...where },
        ports: { [one.name]: one.port },
        invited: bob.userId,
        isFirst: killed === 'signed',
        diesWritten: killed === 'written',
      }
      gate.hold()
      const child = spawn(process.execPath, [WORKER, JSON.stringify(orders)], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const closed = once(child, 'close')
      child.stdin.on('error', () => undefined)
      // It has signed the invitation and shows it to its user; its answer is not on its way yet.
      const stop =
        killed === 'signed' ? one.hs.bus.subscribe(() => child.kill('SIGKILL')) : (): void => undefined
      let told: unknown
      for await (const line of createInterface({ input: child.stdout })) {
        const port = /^port (\d+)$/.exec(line)?.[1]
        if (port === undefined) told = JSON.parse(line)
        else {
          ports.set(INVITER, Number(port))
          gate.let()
          child.stdin.write('go\n')
        }
      }
      const [, signal] = (await closed) as [unknown, unknown]
      stop()
      assert.equal(signal, killed === 'never' ? null : 'SIGKILL')
      return told
    }
    try {
      await run('signed')
      const [id, ...more] = await invitationsHeld(one, bob.userId)
      assert.ok(id !== undefined && more.length === 0)
      await run('written')
      const asked = gate.asked()
      assert.deepEqual(await run('never'), [id])
      assert.deepEqual(await invitationsHeld(one, bob.userId), [id])
      assert.equal(gate.asked(), asked, 'what was written was noted in the same write')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
}
