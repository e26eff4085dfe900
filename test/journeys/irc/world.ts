import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { startCauseway, type Causeway } from '@causeway/testkit/causeway.ts'
import { ircClient, type TestIrcClient } from '@causeway/testkit/irc/irc-client.ts'
import type { RunningServer } from '@causeway/testkit/irc/server-process.ts'
import { registerUser, type TestUser } from '@causeway/testkit/matrix-client.ts'
import { startSdkClient, type SdkClient } from '@causeway/testkit/sdk-client.ts'
import type { MatrixEvent } from 'matrix-js-sdk'

export interface IrcKind {
  readonly name: string
  /** Whether messages have ids and echoes there, and reply and reaction tags. */
  readonly isRich: boolean
  /** Whether it tells who comes back what was said meanwhile. */
  readonly keepsHistory?: boolean
  start(): Promise<RunningServer>
  /** Why it cannot be run here. */
  readonly skip?: string
}

export const CHANNEL = '#maps'
export const BOT = '@bridge:localhost'

/** Alice with a real Matrix client, Bob with a real IRC client, and between them the program and a real IRC server. */
export interface World extends AsyncDisposable {
  readonly irc: RunningServer
  readonly server: Causeway
  readonly alice: SdkClient
  readonly aliceUser: TestUser
  /** Replaced when the IRC server restarts. */
  bob: TestIrcClient
  roomId: string
}

function configuration(irc: RunningServer): string {
  const home = {
    ...{
      host: irc.host,
      port: irc.port,
      tls: false,
      nick: 'hub',
      user_modes: '',
      mode: 'puppets',
      absence: '1s',
    },
    limits: { burst: 1000, per_second: 10_000, connections: 20 },
  }
  return `bridges: ${JSON.stringify({ irc: { servers: { home } } })}`
}

export async function startWorld(kind: IrcKind, databaseUrl?: string): Promise<World> {
  await using undo = new AsyncDisposableStack()
  const irc = undo.use(await kind.start())
  const server = undo.use(
    await startCauseway({
      extra: configuration(irc),
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
    }),
  )
  const aliceUser = await registerUser(server.url, 'alice')
  const alice = undo.use(await startSdkClient(server.url, aliceUser))
  const bob = await connectBob(irc)
  const kept = undo.move()
  const world: World = {
    ...{ irc, server, alice, aliceUser, bob, roomId: '' },
    [Symbol.asyncDispose]: async () => {
      await world.bob.quit().catch(() => undefined)
      await kept[Symbol.asyncDispose]()
    },
  }
  return world
}

/** Bob enters the channel first, which makes him its operator. */
export async function connectBob(irc: RunningServer): Promise<TestIrcClient> {
  const bob = await ircClient({ host: irc.host, port: irc.port, nick: 'bob' })
  await bob.join(CHANNEL)
  return bob
}

/** What Bob reads: the first line of the channel, seen or to come, that fits. */
export async function bobReads(
  { bob }: World,
  fits: string | RegExp | ((text: string) => boolean),
  ms?: number,
): Promise<Record<string, unknown>> {
  const check = (text: string): boolean =>
    typeof fits === 'function' ? fits(text) : typeof fits === 'string' ? text === fits : fits.test(text)
  return bob.waitFor(
    'message',
    (data) => data['target'] === CHANNEL && data['nick'] !== bob.nick && check(String(data['message'])),
    ms,
  )
}

/** Events that a client has in its live timeline of the room. */
export function eventsOf({ client }: SdkClient, roomId: string): MatrixEvent[] {
  return client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? []
}

/** What Alice's client shows: the first event of the room that fits. */
export function aliceSees(
  { alice, roomId }: World,
  what: string,
  fits: (event: MatrixEvent) => boolean,
): Promise<MatrixEvent> {
  return alice.until(what, () => eventsOf(alice, roomId).find(fits))
}

export function aliceReads(world: World, body: string | RegExp): Promise<MatrixEvent> {
  return aliceSees(world, String(body), (event) => {
    const text: unknown = event.getContent()['body']
    return typeof text === 'string' && (typeof body === 'string' ? text === body : body.test(text))
  })
}

/** Sends as Alice by her client. */
export async function aliceSends(
  { alice, roomId }: World,
  content: JsonObject,
  type = 'm.room.message',
): Promise<string> {
  return (await alice.client.sendEvent(roomId, type as never, content as never)).event_id
}

export const aliceSays = (world: World, body: string): Promise<string> =>
  aliceSends(world, { msgtype: 'm.text', body })

interface HistoryEvent {
  readonly event_id: string
  readonly type: string
  readonly sender: string
  readonly content: JsonObject
}

/** The whole room from its beginning, page by page: what is stored, whatever a client saw. */
export async function readHistory({ aliceUser, roomId }: World): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = []
  let from = ''
  for (;;) {
    const path = `/rooms/${encodeURIComponent(roomId)}/messages?dir=f&limit=500${from}`
    const page = await aliceUser.call('GET', path)
    events.push(...(page['chunk'] as unknown as HistoryEvent[]))
    if (typeof page['end'] !== 'string') return events
    from = `&from=${encodeURIComponent(page['end'])}`
  }
}

/** Resolves once the room has a text like this: also where a client that fell behind was not shown it. */
export async function findInHistory(world: World, text: RegExp): Promise<void> {
  const end = Date.now() + 90_000
  const isThere = async (): Promise<boolean> =>
    (await readHistory(world)).some(({ content: { body } }) => typeof body === 'string' && text.test(body))
  while (!(await isThere())) {
    if (Date.now() > end) throw new Error(`the room did not get in time: ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** What the bot answers to `!irc status` in the room. */
async function askStatus(world: World): Promise<string> {
  const asked = await aliceSays(world, '!irc status')
  const answer = await aliceSees(world, 'the status', (event) => event.replyEventId === asked)
  return String(answer.getContent()['body'])
}

/** Asks how the link is doing until it is gone: both sides are told of its end while its last traces are still removed. */
export async function seeUnlinked(world: World): Promise<string> {
  for (const end = Date.now() + 90_000; ;) {
    const status = await askStatus(world)
    if (!/: leaving,/.test(status) || Date.now() > end) return status
  }
}

/** The numbers in texts such as `out 17`, in the order of the texts. */
export function numbersIn(texts: readonly unknown[], word: string): number[] {
  return texts.flatMap((text) => {
    const found = new RegExp(`^${word} (\\d+)$`).exec(String(text))
    return found === null ? [] : [Number(found[1])]
  })
}
