import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Registry } from 'prom-client'
import { freePort } from '@causeway/testkit/free-port.ts'
import { startAdminListener } from '../../packages/homeserver/admin/listener.ts'
import { loadAdminCommands } from '../../packages/homeserver/admin/load-commands.ts'
import type { Homeserver } from '../../packages/homeserver/homeserver.ts'
import { openClientWorld, type ClientWorld } from './client-world.ts'

const TOKEN = 'the-token-of-the-operator'

/** The same server with another admin listener. */
function withAdmin(hs: Homeserver, admin: Partial<Homeserver['config']['admin']>): Homeserver {
  return { ...hs, config: { ...hs.config, admin: { ...hs.config.admin, host: '127.0.0.1', ...admin } } }
}

describe('administrative commands over TCP', () => {
  let world: ClientWorld
  let folder = ''
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'adm-'))
    world = await openClientWorld()
  })
  after(async () => {
    await world[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const listen = async (token: string | undefined): Promise<{ url: string } & AsyncDisposable> => {
    const port = await freePort()
    const socket = path.join(folder, `${port}.sock`)
    const admin = { port, socket, ...(token === undefined ? {} : { token }) }
    const listener = await startAdminListener({
      hs: withAdmin(world.server.hs, admin),
      loadRegistry: async () => new Registry(),
      findObstacle: async () => undefined,
    })
    return {
      url: `http://127.0.0.1:${port}`,
      [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
    }
  }
  const ask = async (url: string, command: string, token: string | undefined): Promise<string> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const answer = await fetch(`${url}/commands/${command}`, { method: 'POST', headers, body: '{}' })
    const { errcode = '' } = (await answer.json()) as { errcode?: string }
    return `${answer.status} ${errcode}`
  }

  it('each of them takes the operator’s token, and no other: not that of an administrator among the users', async () => {
    await using listener = await listen(TOKEN)
    const commands = await loadAdminCommands()
    assert.ok(commands.size > 20)
    for (const name of commands.keys()) {
      assert.equal(await ask(listener.url, name, undefined), '401 M_MISSING_TOKEN', name)
      for (const token of [world.root.token, world.hub.token, `${TOKEN}x`, TOKEN.slice(1)]) {
        assert.equal(await ask(listener.url, name, token), '401 M_UNKNOWN_TOKEN', name)
      }
    }
    assert.equal(await ask(listener.url, 'stats', TOKEN), '200 ')
  })

  it('without a token of the operator’s there are none', async () => {
    await using listener = await listen(undefined)
    for (const name of (await loadAdminCommands()).keys()) {
      for (const token of [undefined, world.root.token]) {
        assert.equal(await ask(listener.url, name, token), '404 M_UNRECOGNIZED', name)
      }
    }
  })
})
