import assert from 'node:assert/strict'
import type { MatrixPerson } from '@causeway/testkit/matrix-person.ts'
import { describeJourneys } from './scene.ts'
import { linkedRoom, roomWithBot } from './world.ts'
import { textOf } from '@causeway/testkit/text-of.ts'

/** Waits for the bot's next answer to what was just written, as its reply. */
async function command(person: MatrixPerson, roomId: string, text: string): Promise<string> {
  const eventId = await person.say(roomId, text)
  const answer = await person.waitFor(roomId, `an answer to “${text}”`, ({ content }) => {
    const relation = content['m.relates_to'] as { 'm.in_reply_to'?: { event_id?: string } } | undefined
    return relation?.['m.in_reply_to']?.event_id === eventId
  })
  return textOf(answer.content['body'])
}

async function connected(person: MatrixPerson, roomId: string, channel: string): Promise<void> {
  const says = `Connected with ${channel} on `
  await person.waitFor(roomId, says, ({ content }) => textOf(content['body']).startsWith(says))
}

/** Invites somebody, who may be there or invited already. */
async function inviteUnlessThere(person: MatrixPerson, roomId: string, userId: string): Promise<void> {
  const there = await person.state(roomId, 'm.room.member', userId)
  if (there !== undefined) return
  await person.user.call('POST', `/rooms/${encodeURIComponent(roomId)}/invite`, { user_id: userId })
}

const STATE_KEY = (server: string, channel: string): string =>
  `causeway://irc/${server}/${encodeURIComponent(channel)}`

describeJourneys('linking', { irc: { consent: 'ask' } }, (stage) => {
  const { journey } = stage
  journey('nothing crosses before a channel operator agreed, and either side ends it', async () => {
    await using bob = await stage.world.ircPerson('rich', 'bobop')
    await using carol = await stage.world.ircPerson('rich', 'carol')
    await using alice = await stage.world.person('alice')
    await bob.join('#town')
    await carol.join('#town')
    const roomId = await roomWithBot(alice, stage.world.botId, { name: 'Town hall' })
    assert.match(await command(alice, roomId, '!irc link rich #town'), /^Entering #town/)
    const asked = await bob.waitFor('message', (data) => String(data['message']).includes('!bridge accept'))
    assert.match(String(asked['message']), new RegExp(`“Town hall”, as ${alice.userId} asked`))
    carol.say('#town', '!bridge accept')
    await bob.waitFor('message', (data) =>
      /carol: that is for channel operators/.test(String(data['message'])),
    )
    await alice.say(roomId, 'too early')
    carol.say('#town', 'private still')
    // The server hears two people in whatever order.
    await bob.waitFor('message', (data) => data['message'] === 'private still')
    bob.say('#town', '!bridge accept')
    await connected(alice, roomId, '#town')
    await alice.say(roomId, 'now')
    await bob.waitFor('message', (data) => String(data['message']).endsWith('now'))
    assert.ok(!bob.texts('#town').some((text) => text.includes('too early')))
    assert.ok(!alice.bodies(roomId).some((text) => text.includes('private')))
    for (const type of ['m.bridge', 'uk.half-shot.bridge']) {
      // A public_chat room gives its bot no power: with it, the state says where the room leads.
      assert.equal(await alice.state(roomId, type, STATE_KEY('rich', '#town')), undefined)
    }
    assert.match(
      await command(alice, roomId, '!irc status'),
      /#town on rich: live, relay, lazy; connected as hub/,
    )
    carol.say('#town', '!unbridge')
    bob.say('#town', 'carol spoke')
    const spoke = await alice.waitForText(roomId, 'carol spoke')
    bob.say('#town', '!unbridge')
    await bob.waitFor('part', (data) => data['nick'] === 'hub')
    await alice.waitForText(roomId, 'No longer connected with #town (ended by bobop (#town)).')
    await alice.waitFor(
      roomId,
      'the ghost leaving',
      ({ state_key: key, content }) => key === spoke.sender && content['membership'] === 'leave',
    )
    // The last traces of the link are removed after the ghosts.
    let status = ''
    do status = await command(alice, roomId, '!irc status')
    while (status.includes(': leaving,'))
    assert.match(status, /not linked/)
  })

  journey('a channel operator refuses; what is gone can be asked for again', async () => {
    await using bob = await stage.world.ircPerson('bare', 'bobno')
    await using alice = await stage.world.person('alice')
    await bob.join('#no')
    const roomId = await roomWithBot(alice, stage.world.botId)
    await alice.say(roomId, '!irc link bare #no')
    await bob.waitFor('message', (data) => String(data['message']).includes('!bridge accept'))
    bob.say('#no', '!bridge refuse')
    await alice.waitForText(roomId, 'bobno (#no) refused for #no.')
    assert.match(await command(alice, roomId, '!irc link bare #no puppets eager'), /^Entering #no/)
    await bob.waitFor(
      'message',
      (data) => bob.texts('#no').length >= 2 && String(data['message']).includes('!bridge'),
    )
    bob.say('#no', '!bridge accept')
    await connected(alice, roomId, '#no')
    await alice.waitFor(
      roomId,
      'the ghost of who is there',
      ({ state_key: key, content }) => key?.includes('_bobno:') === true && content['membership'] === 'join',
    )
    const other = await roomWithBot(alice, stage.world.botId)
    assert.match(
      await command(alice, other, '!irc link bare #no'),
      /already linked with another room \(live\)/,
    )
    assert.match(await command(alice, roomId, '!irc unlink keep-ghosts'), /^Leaving #no/)
    await bob.waitFor('part', (data) => data['nick'] === 'hub')
    await alice.waitFor(roomId, 'the end', ({ content }) =>
      textOf(content['body']).startsWith('No longer connected'),
    )
    assert.ok(
      (await alice.joined(roomId)).some((id) => id.includes('_bobno:')),
      'the ghosts were to stay',
    )
  })

  journey(
    'only who may change the room links it, only channels that may be linked, only readable rooms',
    async () => {
      await using alice = await stage.world.person('alice')
      await using mallory = await stage.world.person('mallory')
      const roomId = await roomWithBot(alice, stage.world.botId)
      await mallory.user.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
      assert.match(await command(mallory, roomId, '!irc link rich #x'), /takes the power to change/)
      assert.match(await command(alice, roomId, '!irc link rich #secrets'), /may not be linked here/)
      assert.match(await command(alice, roomId, '!irc link rich nochannel'), /no channel name/)
      assert.match(
        await command(alice, roomId, '!irc link nowhere #x'),
        /no server “nowhere” here; there is: rich, bare/,
      )
      assert.match(await command(alice, roomId, '!irc unlink'), /no such link/)
      assert.match(await command(alice, roomId, '!irc dance'), /^!irc link/)
      await alice.user.call('PUT', `/rooms/${encodeURIComponent(roomId)}/state/m.room.encryption`, {
        algorithm: 'm.megolm.v1.aes-sha2',
      })
      assert.match(await command(alice, roomId, '!irc link rich #x'), /the room is encrypted/)
    },
  )

  journey(
    'a channel that nobody is in needs no answer; the room shows its bridge; throwing the bot out ends it',
    async () => {
      await using alice = await stage.world.person('alice')
      const powers = { users: { [alice.userId]: 100, [stage.world.botId]: 50 } }
      // Before version 12, where the creator may be listed.
      const options = { power_level_content_override: powers, room_version: '11' }
      const roomId = await linkedRoom(alice, stage.world.botId, 'rich #fresh', options)
      const state = await alice.state(roomId, 'm.bridge', STATE_KEY('rich', '#fresh'))
      assert.deepEqual(state?.['channel'], { id: '#fresh', displayname: '#fresh' })
      assert.equal(state?.['bridgebot'], stage.world.botId)
      await using bob = await stage.world.ircPerson('rich', 'bobkick')
      await bob.join('#fresh')
      await alice.user.call('POST', `/rooms/${encodeURIComponent(roomId)}/kick`, {
        user_id: stage.world.botId,
      })
      await bob.waitFor('part', (data) => data['nick'] === 'hub')
    },
  )

  journey('a link follows its room when it is replaced, at once or when the bot is let in', async () => {
    await using alice = await stage.world.person('alice')
    const upgrade = async (roomId: string): Promise<string> => {
      const path = `/rooms/${encodeURIComponent(roomId)}/upgrade`
      const { replacement_room: next } = await alice.user.call('POST', path, { new_version: '11' })
      return next as string
    }
    for (const [channel, preset] of [
      ['#moving', 'public_chat'],
      ['#closed', 'private_chat'],
    ] as const) {
      await using bob = await stage.world.ircPerson('rich', `bob${channel.slice(1)}`)
      const options = { room_version: '10', preset }
      const roomId = await linkedRoom(alice, stage.world.botId, `rich ${channel}`, options)
      await bob.join(channel)
      bob.say(channel, 'before')
      const before = await alice.waitForText(roomId, 'before')
      const next = await upgrade(roomId)
      // Our own server asks bots in; elsewhere whoever moves the room does.
      if (preset === 'private_chat') await inviteUnlessThere(alice, next, stage.world.botId)
      await alice.waitForText(next, `Still connected with ${channel} on rich.`)
      bob.say(channel, 'after')
      assert.equal((await alice.waitForText(next, 'after')).sender, before.sender)
      await alice.say(next, 'heard')
      await bob.waitFor('message', (data) => String(data['message']).endsWith('heard'))
      assert.match(await command(alice, next, '!irc status'), new RegExp(`${channel} on rich: live`))
      assert.ok(!alice.bodies(roomId).includes('after'))
    }
  })

  journey('the channel throws the bridge out, which ends the link', async () => {
    await using bob = await stage.world.ircPerson('bare', 'bobout')
    await using alice = await stage.world.person('alice')
    await bob.join('#out')
    const roomId = await roomWithBot(alice, stage.world.botId)
    await alice.say(roomId, '!irc link bare #out')
    await bob.waitFor('message', (data) => String(data['message']).includes('!bridge accept'))
    bob.say('#out', '!bridge accept')
    await connected(alice, roomId, '#out')
    bob.raw('KICK #out hub :not here')
    await alice.waitForText(
      roomId,
      'No longer connected with #out (ended by #out: bobout removed the bridge (not here)).',
    )
  })
})
