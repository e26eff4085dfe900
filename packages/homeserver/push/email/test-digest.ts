import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { HomeserverConfig } from '../../config.ts'
import { createSteppedClock, type SteppedClock } from '../../delayed/test-clock.ts'
import type { ReceivedMail, TestMailServer } from '../../email/test-mail-server.ts'
import type { DispatchResponse } from '../../http/dispatch.ts'
import { clientRoutes } from '../../client/routes.ts'
import { testConfig, type ServerDriver, type TestServer } from '../../test-server.ts'
import { insertThreepid } from '@causeway/store/tables/threepids.ts'

// Test support: people who are told by e-mail of what they miss.

export const MINUTE = 60_000
const V3 = '/_matrix/client/v3'

/** Options of mail with which a server of this machine is reached. */
export const mailConfig = (
  port: number,
  more: Partial<HomeserverConfig['email']> = {},
): Pick<HomeserverConfig, 'email'> => ({
  email: {
    ...testConfig('/nowhere', {}).email,
    host: '127.0.0.1',
    port,
    tls: 'off',
    from: 'Test <noreply@test.example>',
    ...more,
  },
})

/** A pusher as a client sets it. */
export const mailPusher = (address: string, more: JsonObject = {}): JsonObject => ({
  kind: 'email',
  app_id: 'm.email',
  pushkey: address,
  app_display_name: 'Email Notifications',
  device_display_name: address,
  lang: 'en',
  data: { brand: 'Quill' },
  ...more,
})

/** Somebody with an account, an address, and a room of their own making if they need one. */
export interface Reader {
  readonly userId: string
  readonly token: string
  readonly deviceId: string
  readonly address: string
  ask(method: string, path: string, body?: JsonObject): Promise<DispatchResponse>
  /** Throws unless the status is 200. */
  call(method: string, path: string, body?: JsonObject): Promise<JsonObject>
  say(roomId: string, body: string, more?: JsonObject): Promise<string>
  read(roomId: string, eventId: string, more?: JsonObject): Promise<void>
}

export interface MailScene extends AsyncDisposable {
  server: TestServer
  readonly clock: SteppedClock
  /** An account with an address; with `isTold`, their pusher is set. */
  person(name: string, isTold?: boolean): Promise<Reader>
  /** A room of both, made by the first. */
  room(by: Reader, other: Reader, more?: JsonObject): Promise<string>
  /** Time passes; resolves when all mail that is due then is sent. */
  pass(ms: number): Promise<void>
  /** The mails that somebody got, the oldest first. */
  mailsTo(reader: Reader): ReceivedMail[]
  restart(): Promise<void>
}

let transactions = 0

async function makeReader(scene: MailScene, name: string, isTold: boolean): Promise<Reader> {
  const login = await scene.server.register(name)
  const address = `${name}@mail.example`
  const row = { medium: 'email', address, user_id: login.userId, validated_ts: 1, added_ts: 1 } as const
  await scene.server.hs.db.commit({ entries: [], steps: [insertThreepid(row)] })
  const reader: Reader = {
    ...login,
    address,
    ask: (method, path, body) =>
      scene.server.request(method, V3 + path, {
        token: login.token,
        ...(body === undefined ? {} : { body }),
      }),
    call: async (method, path, body) => {
      const answer = await reader.ask(method, path, body)
      assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.json())}`)
      return answer.json()
    },
    say: async (roomId, body, more = {}) => {
      const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/d${transactions++}`
      return (await reader.call('PUT', path, { msgtype: 'm.text', body, ...more }))['event_id'] as string
    },
    read: async (roomId, eventId, more = {}) => {
      const place = `/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`
      await reader.call('POST', place, more)
    },
  }
  if (isTold) await reader.call('POST', '/pushers/set', mailPusher(address))
  return reader
}

export async function openMailScene(
  driver: ServerDriver,
  mail: Pick<TestMailServer, 'port'> & { readonly mails: readonly ReceivedMail[] },
  config: Partial<HomeserverConfig> = mailConfig(mail.port),
): Promise<MailScene> {
  const clock = createSteppedClock()
  const scene: MailScene = {
    server: await driver.start({ endpoints: clientRoutes, clock, config }),
    clock,
    person: (name, isTold = false) => makeReader(scene, name, isTold),
    room: async (by, other, more = {}) => {
      const { room_id: roomId } = await by.call('POST', '/createRoom', { preset: 'public_chat', ...more })
      await other.call('POST', `/join/${encodeURIComponent(roomId as string)}`, {})
      return roomId as string
    },
    pass: async (ms) => {
      await scene.server.hs.push.settled()
      clock.advance(ms)
      await scene.server.hs.push.settled()
    },
    mailsTo: ({ address }) => mail.mails.filter(({ to }) => to.includes(address)),
    restart: async () => void (scene.server = await scene.server.restart()),
    [Symbol.asyncDispose]: () => scene.server[Symbol.asyncDispose](),
  }
  return scene
}

/** The parts of a mail by their type, as people see them. */
export function partsOf({ headers, text }: ReceivedMail): Map<string, string> {
  const boundary = /boundary="([^"]+)"/.exec(headers)?.[1]
  assert.ok(boundary !== undefined, headers)
  const parts = text.split(`--${boundary}`).slice(1, -1)
  return new Map(
    parts.map((part) => {
      const [head = '', ...body] = part.trimStart().split('\n\n')
      return [/^content-type: ([^;\n]+)/im.exec(head)![1]!, decode(head, body.join('\n\n'))]
    }),
  )
}

function decode(head: string, body: string): string {
  if (/^content-transfer-encoding: base64/im.test(head)) return Buffer.from(body, 'base64').toString()
  if (!/^content-transfer-encoding: quoted-printable/im.test(head)) return body
  const bytes = body
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}

/** A header of a mail, folded or not, with its encoded words read. */
export function headerOf({ headers }: ReceivedMail, name: string): string {
  const raw = new RegExp(`^${name}:(.*(?:\\r?\\n[ \\t].*)*)`, 'im').exec(headers)?.[1] ?? ''
  const folded = raw
    .trim()
    .replaceAll(/\?=\r?\n[ \t]+=\?/g, '?==?')
    .replaceAll(/\r?\n[ \t]+/g, ' ')
  return folded.replaceAll(/=\?utf-8\?([qb])\?([^?]*)\?=/gi, (_all, kind: string, text: string) =>
    kind.toLowerCase() === 'b'
      ? Buffer.from(text, 'base64').toString()
      : decode('content-transfer-encoding: quoted-printable', text.replaceAll('_', ' ')),
  )
}
