import { Agent, request as httpRequest } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { HomeserverConfig } from '../../packages/homeserver/config.ts'
import { createLogger } from '../../packages/homeserver/ops/log.ts'
import { startHomeserver, type RunningHomeserver } from '../../packages/homeserver/server.ts'
import { systemClock, systemRandom } from '../../packages/store/clock/system.ts'
import { loadConfig } from '../../packages/cli/config/load.ts'
import { configSections } from '../../packages/cli/config/sections.ts'
import type { FuzzCase, GoodValues } from './cases.ts'

/** How long an answer may take before it counts as a hang. */
const HANG_MS = 60_000

export interface Reply {
  readonly status: number
  readonly body: Buffer
  readonly contentType: string
}

/** A running server without limits, and people in a room on it. */
export interface Target extends AsyncDisposable {
  readonly server: RunningHomeserver
  /** What the server logged as its own faults. */
  readonly faults: readonly string[]
  /** Sends a case. Rejects for a hang or a connection that breaks off without an answer. */
  send(one: FuzzCase): Promise<Reply>
  good(): GoodValues
  /** Makes new people and a new room: the last ones were logged out, banned or deactivated by what was sent. */
  renew(): Promise<void>
}

const OPEN_LIMITS =
  '{message: {per_second: 0}, join: {per_second: 0}, invite: {per_second: 0}, create_room: {per_second: 0}, login: {per_second: 0}, registration: {per_second: 0}, profile: {per_second: 0}, media: {per_second: 0}, preview: {per_second: 0}, email: {per_second: 0}, sms: {per_second: 0}, keys: {per_second: 0}, read: {per_second: 0}, admin: {per_second: 0}}'

function loadTestConfig(folder: string): HomeserverConfig {
  const environment = {
    CAUSEWAY_SERVER_NAME: 'test',
    CAUSEWAY_DATA_DIR: folder,
    CAUSEWAY_LISTENERS: '[{host: 127.0.0.1, port: 0}]',
    CAUSEWAY_REGISTRATION__MODE: 'open',
    CAUSEWAY_PASSWORD_HASH__MEMORY: '64K',
    CAUSEWAY_PASSWORD_HASH__PASSES: '1',
    CAUSEWAY_RATE_LIMITS: OPEN_LIMITS,
    // Numbers are read as well; whoever listens there takes no message.
    CAUSEWAY_SMS__URL: 'http://127.0.0.1:9/sms',
    CAUSEWAY_SMS__COUNTRIES: '["*"]',
  }
  return loadConfig({ sections: configSections, environment, folder }).values as HomeserverConfig
}

function sendRequest(
  agent: Agent,
  base: URL,
  one: { method: string; path: string; token?: string | undefined; body?: string | Buffer | undefined },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (one.token !== undefined) headers['authorization'] = `Bearer ${one.token}`
    const body = one.body === undefined ? undefined : Buffer.from(one.body as string)
    if (body !== undefined) headers['content-length'] = String(body.length)
    const outgoing = httpRequest(
      {
        host: base.hostname,
        port: base.port,
        method: one.method,
        path: one.path,
        headers,
        agent,
        timeout: HANG_MS,
      },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode ?? 0,
            body: Buffer.concat(chunks),
            contentType: incoming.headers['content-type'] ?? '',
          }),
        )
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${HANG_MS} ms`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** Starts a server of its own for the fuzzer. */
export async function startTarget(): Promise<Target> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fuzz-'))
  const faults: string[] = []
  const write = (line: string): void => void faults.push(line)
  const logger = createLogger({ level: 'error', format: 'json', clock: systemClock, write })
  const server = await startHomeserver(loadTestConfig(folder), {
    clock: systemClock,
    random: systemRandom,
    logger,
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const base = new URL(server.urls[0]!)
  let token = ''
  let good: Record<string, string> = {}
  let people = 0

  const call = async (
    method: string,
    route: string,
    body: unknown,
    as?: string,
  ): Promise<Record<string, string>> => {
    const reply = await sendRequest(agent, base, {
      method,
      path: route,
      token: as,
      body: JSON.stringify(body),
    })
    if (reply.status >= 400) throw new Error(`${method} ${route}: ${reply.status} ${reply.body.toString()}`)
    return JSON.parse(reply.body.toString()) as Record<string, string>
  }
  const register = (): Promise<Record<string, string>> => {
    people += 1
    const auth = { type: 'm.login.dummy' }
    return call('POST', '/_matrix/client/v3/register', {
      username: `person${people}`,
      password: 'correct horse battery',
      auth,
    })
  }

  return {
    server,
    faults,
    send: (one) =>
      sendRequest(agent, base, {
        ...one,
        token: one.auth === 'user' ? token : one.auth === 'bad' ? 'nonsense' : undefined,
      }),
    good: () => good,
    renew: async () => {
      const alice = await register()
      const bob = await register()
      token = alice['access_token']!
      const room = await call(
        'POST',
        '/_matrix/client/v3/createRoom',
        { preset: 'public_chat', room_alias_name: `room${people}` },
        token,
      )
      const roomId = room['room_id']!
      const inRoom = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
      await call('POST', `${inRoom}/join`, {}, bob['access_token'])
      const sent = await call(
        'PUT',
        `${inRoom}/send/m.room.message/t1`,
        { msgtype: 'm.text', body: 'hello' },
        token,
      )
      good = {
        roomId,
        room_id: roomId,
        roomIdOrAlias: roomId,
        roomAlias: `#room${people}:test`,
        eventId: sent['event_id']!,
        event_id: sent['event_id']!,
        userId: alice['user_id']!,
        user_id: bob['user_id']!,
        deviceId: alice['device_id']!,
        device_id: alice['device_id']!,
        eventType: 'm.room.message',
        type: 'm.room.topic',
        stateKey: '',
        receiptType: 'm.read',
        keyName: 'displayname',
        serverName: 'test',
        relType: 'm.thread',
        tag: 'm.favourite',
        scope: 'global',
        kind: 'override',
        ruleId: '.m.rule.master',
        version: '1',
        sessionId: 's',
        txnId: 't1',
        filterId: '0',
        mediaId: 'x',
        password: 'correct horse battery',
        username: `person${people}`,
      }
    },
    [Symbol.asyncDispose]: async () => {
      agent.destroy()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
