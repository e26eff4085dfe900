import assert from 'node:assert/strict'
import type { MatrixPerson, SeenEvent } from '@causeway/testkit/matrix-person.ts'
import { describeJourneys } from './scene.ts'
import { linkedRoom } from './world.ts'
import { textOf } from '@causeway/testkit/text-of.ts'

function becomes(person: MatrixPerson, roomId: string, nick: string, membership: string): Promise<SeenEvent> {
  return person.waitFor(
    roomId,
    `${nick}: ${membership}`,
    ({ type, state_key: key, content }) =>
      type === 'm.room.member' && key?.includes(`_${nick}:`) === true && content['membership'] === membership,
  )
}

describeJourneys('people of both sides', {}, (stage) => {
  const { journey } = stage
  for (const server of ['rich', 'bare'] as const) {
    journey(
      `who comes, goes, changes nick or is thrown out in the channel does so in the room (${server})`,
      async () => {
        const n = server
        await using s = await stage.scene(server, `life${n}`, 'puppets eager', (alice) => ({
          power_level_content_override: { users: { [alice.userId]: 100, [stage.world.botId]: 100 } },
          room_version: '11',
        }))
        const { alice, bob, roomId, channel } = s
        await becomes(alice, roomId, bob.nick, 'join')
        const carol = await stage.world.ircPerson(server, `carol${n}`)
        await carol.join(channel)
        await becomes(alice, roomId, `carol${n}`, 'join')
        carol.raw(`NICK caro${n}`)
        await becomes(alice, roomId, `caro${n}`, 'join')
        await becomes(alice, roomId, `carol${n}`, 'leave')
        bob.raw(`KICK ${channel} caro${n} :enough`)
        const kicked = await becomes(alice, roomId, `caro${n}`, 'leave')
        assert.equal(kicked.content['reason'], `Removed from ${channel} by ${bob.nick}: enough`)
        await carol.join(channel)
        await alice.waitFor(
          roomId,
          'carol again',
          () =>
            alice
              .timeline(roomId)
              .filter(
                (event) =>
                  event.state_key?.includes(`_caro${n}:`) === true && event.content['membership'] === 'join',
              ).length >= 2,
        )
        carol.raw(`PART ${channel} :bye`)
        await alice.waitFor(
          roomId,
          'carol leaving',
          ({ content, state_key: key }) =>
            key?.includes(`_caro${n}:`) === true && textOf(content['reason']).includes('bye'),
        )
        await carol.quit()
        bob.raw(`TOPIC ${channel} :all about ${n}`)
        await alice.waitFor(
          roomId,
          'the topic',
          ({ type, content }) => type === 'm.room.topic' && content['topic'] === `all about ${n}`,
        )
        await alice.user.call('PUT', `/rooms/${encodeURIComponent(roomId)}/state/m.room.topic`, {
          topic: 'from here',
        })
        await alice.say(roomId, 'topic set')
        const puppet = await bob.waitFor('message', (data) => data['message'] === 'topic set')
        assert.ok(
          !bob.seen.some(
            ({ type, data }) =>
              type === 'topic' && data['topic'] === 'from here' && data['nick'] === puppet['nick'],
          ),
        )

        const nick = String(puppet['nick'])
        await alice.user.call('PUT', `/profile/${encodeURIComponent(alice.userId)}/displayname`, {
          displayname: `Zoë ${n}`,
        })
        await bob.waitFor('nick', (data) => data['nick'] === nick && data['new_nick'] === `Zoe_${n}`)
        await alice.say(roomId, `!irc nick Queen${n}`)
        await bob.waitFor('nick', (data) => data['new_nick'] === `Queen${n}`)

        await using dora = await stage.world.person('dora')
        await dora.user.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
        await dora.say(roomId, 'me too')
        const doras = String((await bob.waitFor('message', (data) => data['message'] === 'me too'))['nick'])
        bob.raw(`KICK ${channel} ${doras} :be gone`)
        await alice.waitFor(
          roomId,
          'dora thrown out',
          ({ state_key: key, content }) => key === dora.userId && content['membership'] === 'leave',
        )
        assert.ok((await alice.joined(roomId)).includes(alice.userId))
      },
    )

    journey(
      `those who only listen have no ghosts; who leaves Matrix leaves the channel (${server})`,
      async () => {
        await using s = await stage.scene(server, `calm${server}`, 'puppets')
        const { alice, bob, roomId, channel } = s
        await using carol = await stage.world.ircPerson(server, `cc${server}`)
        await carol.join(channel)
        carol.say(channel, 'I speak')
        await alice.waitForText(roomId, 'I speak')
        const ghosts = (await alice.joined(roomId)).filter((id) => id.includes('_bridge_'))
        assert.equal(ghosts.length, 1)
        await using dora = await stage.world.person('dora')
        await dora.user.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
        await dora.say(roomId, 'hello')
        const nick = String((await bob.waitFor('message', (data) => data['message'] === 'hello'))['nick'])
        await dora.user.call('POST', `/rooms/${encodeURIComponent(roomId)}/leave`, {})
        await bob.waitFor('part', (data) => data['nick'] === nick)
      },
    )

    journey(`a ban in the channel is no reason for the bot to lend its voice (${server})`, async () => {
      await using s = await stage.scene(server, `ban${server}`, 'puppets')
      const { alice, bob, roomId, channel } = s
      await using dora = await stage.world.person('dora')
      await dora.user.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      await dora.say(roomId, 'first')
      const nick = String((await bob.waitFor('message', (data) => data['message'] === 'first'))['nick'])
      bob.raw(`MODE ${channel} +b ${nick}!*@*`)
      bob.raw(`KICK ${channel} ${nick} :out`)
      await alice.waitFor(roomId, 'the room being told', ({ content }) =>
        textOf(content['body']).startsWith(`${dora.userId}: Banned from ${channel} by ${bob.nick}`),
      )
      await dora.say(roomId, 'second')
      await alice.waitFor(roomId, 'the refusal', ({ content }) =>
        /This message did not reach #ban/.test(textOf(content['body'])),
      )
      await alice.say(roomId, 'third')
      await bob.waitFor('message', (data) => data['message'] === 'third')
      assert.ok(!bob.texts(channel).some((text) => text.includes('second')))
    })
  }

  journey('a moderator of the room throws somebody out of the channel, where the bot may', async () => {
    await using alice = await stage.world.person('alice')
    // Nobody else is there, so that the bot decides for the channel.
    const roomId = await linkedRoom(alice, stage.world.botId, 'rich #mod')
    await using eve = await stage.world.ircPerson('rich', 'evemod')
    await eve.join('#mod')
    eve.say('#mod', 'spam')
    const spam = await alice.waitForText(roomId, 'spam')
    await alice.user.call('POST', `/rooms/${encodeURIComponent(roomId)}/kick`, {
      user_id: spam.sender,
      reason: 'ads',
    })
    const kicked = await eve.waitFor('kick', (data) => data['kicked'] === 'evemod')
    assert.match(String(kicked['message']), /removed on Matrix: ads/)
  })
})
