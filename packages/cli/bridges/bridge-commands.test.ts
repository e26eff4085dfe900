import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { startCauseway, type Causeway } from '@causeway/testkit/causeway.ts'
import { ircClient, type TestIrcClient } from '@causeway/testkit/irc/irc-client.ts'
import { noIrcServers } from '@causeway/testkit/irc/irc-servers.ts'
import { startNgircd, type Ngircd } from '@causeway/testkit/irc/ngircd.ts'
import { matrixPerson, type MatrixPerson } from '@causeway/testkit/matrix-person.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import type { Terminal } from '../command.ts'
import { runCli } from '../run.ts'

// The commands of operators, as they type them, against a running server between a real room and a real channel.

const BOT = '@bridge:localhost'
const CHANNEL = '#Town[1]'

describe('causeway admin bridge', { skip: noIrcServers }, () => {
  let irc: Ngircd
  let server: Causeway
  let alice: MatrixPerson
  let bob: TestIrcClient
  let roomId = ''
  before(async () => {
    irc = await startNgircd()
    const home = { host: irc.host, port: irc.port, tls: false, nick: 'hub', user_modes: '', absence: '1s' }
    server = await startCauseway({ extra: `bridges: ${JSON.stringify({ irc: { servers: { home } } })}` })
    alice = await matrixPerson(server.url, 'alice')
    bob = await ircClient({ host: irc.host, port: irc.port, nick: 'bob' })
    await bob.join(CHANNEL)
    roomId = await alice.createRoom({ name: 'Town' })
  })
  after(async () => {
    await bob?.quit()
    await alice?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    await irc?.[Symbol.asyncDispose]()
  })

  /** Types a command; what it printed, or its error. */
  async function admin(...words: string[]): Promise<string> {
    const said = { out: '', err: '' }
    const terminal: Terminal = {
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
      environment: {},
      folder: server.folder,
      readLine: async () => '',
    }
    const code = await runCli(terminal, ['admin', 'bridge', ...words, '--config', 'causeway.yaml'])
    return code === 0 ? said.out : `exit ${code}: ${said.err}`
  }
  const list = async (...words: string[]): Promise<JsonObject[]> =>
    JSON.parse(await admin('list', '--json', ...words)) as JsonValue as JsonObject[]
  const roomHears = (body: string | RegExp): Promise<unknown> =>
    alice.waitFor(roomId, String(body), ({ content }) => {
      const text = textOf(content['body'])
      return typeof body === 'string' ? text === body : body.test(text)
    })

  it('says what keeps a room from being linked', async () => {
    assert.deepEqual(await list(), [])
    assert.match(await admin('link', roomId, 'nowhere', CHANNEL), /exit 1: Not linked: .*there is: home/)
    assert.match(await admin('link', roomId, 'home', 'town'), /exit 1: Not linked: .*no channel name/)
    assert.match(
      await admin('link', '!nothing:localhost', 'home', CHANNEL),
      /exit 1: Not linked: invite @bridge:localhost into the room first/,
    )
    assert.match(await admin('link', 'noroom', 'home', CHANNEL), /exit [12]: /)
    assert.match(await admin('unlink', 'home', CHANNEL), /exit 1: .*is not linked/)
  })

  it('links a room with a channel once the channel agrees', async () => {
    // The bot enters the open room by itself.
    const made = JSON.parse(
      await admin('link', roomId, 'home', CHANNEL, '--mode', 'puppets', '--by', alice.userId, '--json'),
    ) as JsonObject
    assert.deepEqual({ ...made, state: '' }, { room_id: roomId, server: 'home', channel: CHANNEL, state: '' })
    assert.ok((await alice.joined(roomId)).includes(BOT))
    const asked = await bob.waitFor('message', ({ message }) => String(message).includes('!bridge accept'))
    assert.match(String(asked['message']), /“Town”, as @alice\S+ asked/)
    assert.deepEqual(
      (await list()).map(({ state }) => state),
      ['consenting'],
    )
    assert.match(await admin('link', roomId, 'home', '#town{1}'), /exit 1: .*already linked with this room/)
    bob.say(CHANNEL, '!bridge accept')
    await roomHears(/^Connected with #Town\[1\] on home\./)
    await alice.say(roomId, 'hello from the room')
    await bob.waitFor('message', ({ message }) => message === 'hello from the room')
    bob.say(CHANNEL, 'hello from the channel')
    await roomHears('hello from the channel')
  })

  it('lists links and says how they are doing', async () => {
    const [link, ...others] = await list('--server', 'home')
    assert.deepEqual(others, [])
    const { since, ...rest } = link!
    assert.deepEqual(rest, {
      ...{ network: 'irc', server: 'home', channel: CHANNEL, room_id: roomId, state: 'live' },
      ...{ mode: 'puppets', membership: 'lazy', by: alice.userId },
    })
    assert.ok(Math.abs(Date.parse(textOf(since)) - Date.now()) < 600_000)
    assert.deepEqual(await list('--server', 'other'), [])
    assert.match(await admin('list'), /#Town\[1\]/)
    // The server's own folding: on IRC, [ and { are one letter in two cases.
    for (const which of [[], ['home'], ['home', '#TOWN{1}']]) {
      assert.match(
        await admin('status', ...which),
        /#Town\[1\] on home: live, puppets, lazy; connected as hub, 3 people there, 1 connections of our own; 0 waiting/,
      )
    }
    assert.doesNotMatch(await admin('status', 'home', '#elsewhere'), /live/)
  })

  it('ends a link, after which nothing crosses and the ghosts are gone', async () => {
    assert.match(await admin('unlink', 'home', '#town{1}'), /leaving/)
    await roomHears('No longer connected with #Town[1] (ended by an administrator of the homeserver).')
    await bob.waitFor('part', ({ nick }) => nick === 'hub')
    await alice.waitFor(
      roomId,
      'the ghost leaving',
      ({ state_key: key, content }) =>
        key === '@_bridge_irc_home_bob:localhost' && content['membership'] === 'leave',
    )
    await alice.say(roomId, 'only for the room')
    // The last traces of the link are removed after the ghosts.
    while ((await list()).some(({ state }) => state === 'leaving'));
    assert.deepEqual(await list(), [])
    assert.match(await admin('unlink', 'home', CHANNEL), /exit 1: .*is not linked/)
    assert.ok(!bob.texts(CHANNEL).some((text) => text.includes('only for the room')))
  })

  it('ends a link and leaves the ghosts where that is wanted', async () => {
    await admin('link', roomId, 'home', CHANNEL)
    const answers = (): number => bob.texts(CHANNEL).filter((text) => text.includes('!bridge accept')).length
    await bob.waitFor('message', () => answers() === 2)
    bob.say(CHANNEL, '!bridge accept')
    bob.say(CHANNEL, 'back again')
    await bob.waitFor('message', () => bob.texts(CHANNEL).some((text) => text.includes('now connected')))
    bob.say(CHANNEL, 'still here')
    await roomHears('still here')
    assert.match(await admin('unlink', 'home', CHANNEL, '--keep-ghosts'), /leaving/)
    await bob.waitFor(
      'part',
      () => bob.seen.filter(({ type, data }) => type === 'part' && data['nick'] === 'hub').length === 2,
    )
    while ((await list()).length > 0);
    assert.ok((await alice.joined(roomId)).includes('@_bridge_irc_home_bob:localhost'))
  })
})
