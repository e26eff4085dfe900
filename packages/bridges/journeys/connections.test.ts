import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { RunningServer } from '@causeway/testkit/irc/server-process.ts'
import { startSaslServices } from '@causeway/testkit/irc/sasl-services.ts'
import type { SaslServices } from '@causeway/testkit/irc/sasl-services.ts'
import { textOf } from '@causeway/testkit/text-of.ts'
import { describeJourneys } from './scene.ts'

// What becomes of our connections on servers that are not patient: real ones, set up to throw out who is silent, to
// take only a few connections from one address, to ask for passwords. Nothing of it depends on the homeserver.

const only = 'Causeway'

/** Registers, says nothing, answers nothing, and resolves with the server's last words. */
async function beThrownOut(server: RunningServer, nick: string): Promise<string> {
  const socket = connect({ host: server.host, port: server.port })
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  socket.write(`NICK ${nick}\r\nUSER silent 0 * :silent\r\n`)
  await once(socket, 'close')
  // InspIRCd wants an answer before it lets anybody in, too.
  return heard.split('\r\n').findLast((line) => line.startsWith('ERROR')) ?? ''
}

describeJourneys('silence', { only, rich: { pingSeconds: 5 }, bare: { pingSeconds: 5 } }, (stage) => {
  for (const server of ['rich', 'bare'] as const) {
    stage.journey(
      `neither the bot nor a person's own connection is lost for saying nothing, however long (${server})`,
      async () => {
        await using s = await stage.scene(server, `idle${server}`, 'puppets')
        const { alice, bob, roomId, channel, bobReads } = s
        await alice.say(roomId, 'hello')
        const { nick } = await bobReads('hello')
        // Two who answer no PING are thrown out one after the other: that long is nobody on our side heard of.
        for (const round of [1, 2])
          assert.match(await beThrownOut(stage.world.irc[server], `mute${round}`), /ping timeout/i)
        await alice.say(roomId, 'still here')
        assert.equal((await bobReads('still here'))['nick'], nick)
        bob.say(channel, 'so am I')
        await alice.waitForText(roomId, 'so am I')
        const gone = bob.seen.filter(({ type }) => ['part', 'quit', 'nick'].includes(type))
        assert.deepEqual(gone, [])
        const comings = bob.seen.filter(({ type, data }) => type === 'join' && data['nick'] !== bob.nick)
        assert.deepEqual(
          comings.map(({ data }) => data['nick']),
          ['hub', nick],
          'each came once',
        )
        assert.ok((await alice.joined(roomId)).includes(alice.userId))
      },
    )
  }
})

// Bob, the bot, Alice and Dora: whoever comes next is not let in.
describeJourneys('a limit of connections', { only, rich: { perHost: 4 }, bare: { perHost: 4 } }, (stage) => {
  for (const server of ['rich', 'bare'] as const) {
    stage.journey(
      `whom the server lets no longer in is relayed, which is said once, and gets a connection when one is free (${server})`,
      async () => {
        await using s = await stage.scene(server, `full${server}`, 'puppets')
        const { alice, bob, roomId, channel, bobReads } = s
        await using dora = await stage.world.person('dora')
        await using erin = await stage.world.person('erin')
        for (const person of [dora, erin])
          await person.user.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
        await alice.say(roomId, 'first')
        await bobReads('first')
        await dora.say(roomId, 'second')
        const doras = String((await bobReads('second'))['nick'])
        const readsRelayed = (text: string): Promise<Record<string, unknown>> =>
          bob.waitFor(
            'message',
            ({ message, nick }) => nick === 'hub' && String(message).endsWith(`> ${text}`),
            // Less than a message waits for a connection that is on its way.
            90_000,
          )
        for (const text of ['third', 'fourth', 'fifth']) {
          await erin.say(roomId, text)
          await readsRelayed(text)
        }
        const isTold = (body: string): boolean => body.includes('no connection of their own')
        await erin.waitFor(roomId, 'being told', ({ content }) => isTold(textOf(content['body'])))
        await dora.user.call('POST', `/rooms/${encodeURIComponent(roomId)}/leave`, {})
        await bob.waitFor('part', ({ nick }) => nick === doras)
        // Her own connection knocks again by itself, and speaks as soon as it is there.
        let own: string | undefined
        for (let n = 0; own === undefined; n++) {
          assert.ok(n < 100, 'her own connection never came')
          await erin.say(roomId, `try ${n}`)
          const heard = await bob.waitFor('message', ({ message }) => String(message).endsWith(`try ${n}`))
          if (heard['nick'] !== 'hub') own = String(heard['nick'])
        }
        assert.match(own, /^erin/)
        assert.equal(erin.bodies(roomId).filter(isTold).length, 1, 'said once')
        const numbers = bob.texts(channel).flatMap((text) => /try (\d+)$/.exec(text)?.[1] ?? [])
        assert.deepEqual(
          numbers,
          Array.from(numbers, (_, n) => String(n)),
          'in order, nothing twice',
        )

        // They all come back after a restart, for which there is room again.
        await stage.world.irc[server].kill()
        await stage.world.irc[server].start()
        await using again = await stage.world.ircPerson(server, bob.nick)
        await again.join(channel)
        await erin.say(roomId, 'and now?')
        await again.waitFor('message', ({ message }) => String(message).endsWith('and now?'))
        again.say(channel, 'welcome back')
        await alice.waitForText(roomId, 'welcome back')
      },
    )
  }
})

let services: SaslServices | undefined
const passwords = { hubaccount: 'of the hub', alice: 'of-alice' }
const sasl = { sasl_account: 'hubaccount', sasl_password: passwords.hubaccount }
const prepare = async ({ rich }: { rich: Parameters<typeof startSaslServices>[0] }): Promise<SaslServices> =>
  (services = await startSaslServices(rich, { passwords }))

describeJourneys('accounts', { only, irc: sasl, prepare }, (stage) => {
  stage.journey(
    'the bot and who identified log in by SASL; who did not, or wrongly, speaks without',
    async () => {
      await using s = await stage.scene('rich', 'accounts', 'puppets')
      const { alice, bob, roomId, bobReads } = s
      const accountOf = async (text: string): Promise<string | undefined> =>
        ((await bobReads(text))['tags'] as Record<string, string>)['account']
      assert.deepEqual(services?.attempts, ['PLAIN hubaccount ok'])
      assert.match(
        String((await bob.waitFor('message', ({ nick }) => nick === 'hub'))['message']),
        /now connected/,
      )
      const said = bob.lines.find((line) => line.includes('now connected')) ?? ''
      assert.match(said, /account=hubaccount/)
      await alice.say(roomId, '!irc identify rich alice of-alice')
      await alice.waitFor(roomId, 'the answer', ({ content }) =>
        textOf(content['body']).startsWith('Kept, sealed.'),
      )
      await alice.say(roomId, 'it is me')
      assert.equal(await accountOf('it is me'), 'alice')
      assert.deepEqual(services?.attempts.slice(1), ['PLAIN alice ok'])
      await using dora = await stage.world.person('dora')
      await using erin = await stage.world.person('erin')
      for (const person of [dora, erin])
        await person.user.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      await dora.say(roomId, 'I have none')
      assert.equal(await accountOf('I have none'), undefined)
      await erin.say(roomId, '!irc identify rich alice guessed')
      await erin.waitFor(
        roomId,
        'the answer',
        () => erin.bodies(roomId).filter((body) => body.startsWith('Kept, sealed.')).length >= 1,
      )
      await erin.say(roomId, 'who am I?')
      assert.equal(await accountOf('who am I?'), undefined)
      assert.deepEqual(services?.attempts.slice(2), ['PLAIN - refused'])
      await erin.waitFor(roomId, 'the note', ({ content }) => {
        const text = textOf(content['body'])
        return text.includes('did not take your password') && text.includes('!irc identify rich')
      })
      assert.ok(!bob.texts(s.channel).some((text) => text.includes('identify')), 'no password crosses')
    },
  )
})
