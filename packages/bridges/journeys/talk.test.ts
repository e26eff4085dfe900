import assert from 'node:assert/strict'
import { describeJourneys } from './scene.ts'
import { textOf } from '@causeway/testkit/text-of.ts'

const PNG = Uint8Array.from(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  ),
)

describeJourneys('a room and an IRC channel', {}, (stage) => {
  const { journey } = stage
  for (const server of ['rich', 'bare'] as const) {
    journey(
      `people of both sides talk, with formatting, actions and notices (${server}, relay)`,
      async () => {
        await using s = await stage.scene(server, `relay${server}`, 'relay')
        const { alice, bob, roomId, channel } = s
        await alice.send(roomId, {
          ...{ msgtype: 'm.text', body: 'hello world', format: 'org.matrix.custom.html' },
          formatted_body: 'hello <b>world</b>',
        })
        const heard = await bob.waitFor('message', (data) =>
          String(data['message']).includes('hello \x02world'),
        )
        const localpart = alice.userId.slice(1).split(':')[0]!
        assert.equal(
          String(heard['message']),
          `<${localpart[0]}\u200b${localpart.slice(1)}> hello \x02world`,
          'who speaks is named, in a way that does not ring',
        )
        await alice.send(roomId, { msgtype: 'm.emote', body: 'waves' })
        await bob.waitFor('message', (data) => /^\* a\u200b\S+ waves$/.test(String(data['message'])))
        await alice.send(roomId, { msgtype: 'm.notice', body: 'beep' })
        await bob.waitFor(
          'message',
          (data) => data['type'] === 'notice' && String(data['message']).endsWith('beep'),
        )

        bob.say(channel, 'hi \x02there\x02 https://example.org/x')
        const said = await alice.waitForText(roomId, 'hi there https://example.org/x')
        assert.match(textOf(said.content['formatted_body']), /hi <strong>there<\/strong> <a href="https:/)
        assert.match(said.sender, new RegExp(`^@_bridge_irc_${server}_bobrelay`))
        bob.action(channel, 'waves back')
        assert.equal((await alice.waitForText(roomId, 'waves back')).content['msgtype'], 'm.emote')
        bob.notice(channel, 'boop')
        assert.equal((await alice.waitForText(roomId, 'boop')).content['msgtype'], 'm.notice')
        const bodies = alice
          .timeline(roomId)
          .filter(({ content }) => /hello|waves$|beep/.test(textOf(content['body'])))
        assert.equal(bodies.filter(({ sender }) => sender !== alice.userId).length, 0, 'nothing echoes')
      },
    )

    journey(`replies, edits, reactions and withdrawals cross (${server}, puppets)`, async () => {
      await using s = await stage.scene(server, `rich${server}`, 'puppets')
      const { alice, bob, roomId, channel, bobReads } = s
      const isRich = server === 'rich'
      bob.say(channel, 'who has the map?')
      const question = await alice.waitForText(roomId, 'who has the map?')
      const replyId = await alice.send(roomId, {
        ...{ msgtype: 'm.text', body: 'I have teh map' },
        'm.relates_to': { 'm.in_reply_to': { event_id: question.event_id } },
      })
      const reply = await bob.waitFor('message', (data) => String(data['message']).endsWith('I have teh map'))
      assert.match(String(reply['nick']), /^alice/, 'Alice has a connection of her own')
      const tags = reply['tags'] as Record<string, string>
      if (isRich) {
        assert.match(String(reply['message']), /^bobrichrich: I have teh map$/)
        assert.equal(typeof tags['+draft/reply'], 'string')
      } else
        assert.match(String(reply['message']), /^bobrichbare: \(re “who has the map\?”\) I have teh map$/)

      await alice.send(roomId, {
        ...{
          msgtype: 'm.text',
          body: '* I have the map',
          'm.new_content': { msgtype: 'm.text', body: 'I have the map' },
        },
        'm.relates_to': { rel_type: 'm.replace', event_id: replyId },
      })
      await bobReads('s/teh/the/')

      const reactionId = await alice.send(
        roomId,
        { 'm.relates_to': { rel_type: 'm.annotation', event_id: question.event_id, key: '👍' } },
        'm.reaction',
      )
      if (isRich) {
        const react = await bob.waitFor(
          'tagmsg',
          (data) => 'tags' in data && '+draft/react' in (data['tags'] as object),
        )
        assert.equal((react['tags'] as Record<string, string>)['+draft/react'], '👍')
        await alice.redact(roomId, reactionId)
        await bob.waitFor('tagmsg', (data) => '+draft/unreact' in (data['tags'] as object))
        const id = tags['msgid']!
        bob.tagmsg(channel, { '+draft/reply': id, '+draft/react': '🎉' })
        const back = await alice.waitFor(
          roomId,
          'the reaction',
          (event) => event.type === 'm.reaction' && event.sender !== alice.userId,
        )
        assert.deepEqual(back.content['m.relates_to'], {
          rel_type: 'm.annotation',
          event_id: replyId,
          key: '🎉',
        })
        bob.tagmsg(channel, { '+draft/reply': id, '+draft/unreact': '🎉' })
        await alice.waitFor(
          roomId,
          'it being taken back',
          (event) => event.type === 'm.room.redaction' && event.sender === back.sender,
        )
        bob.say(channel, 'alice: thanks', { '+draft/reply': id })
        const thanks = await alice.waitFor(roomId, 'thanks', ({ content }) =>
          textOf(content['body']).endsWith('thanks'),
        )
        assert.deepEqual(thanks.content['m.relates_to'], { 'm.in_reply_to': { event_id: replyId } })
      } else {
        await bob.waitFor('message', (data) =>
          /^reacted 👍 to \S+: “who has the map\?”$/.test(String(data['message'])),
        )
      }
      await alice.redact(roomId, replyId)
      await alice.say(roomId, 'that was all')
      await bobReads('that was all')
    })

    journey(`mentions ring on both sides (${server}, puppets)`, async () => {
      await using s = await stage.scene(server, `ring${server}`, 'puppets')
      const { alice, bob, roomId, channel, bobReads } = s
      await alice.say(roomId, 'here I am')
      const first = await bobReads('here I am')
      bob.say(channel, `${String(first['nick'])}: good to see you`)
      const rung = await alice.waitFor(roomId, 'the mention', ({ content }) =>
        textOf(content['body']).includes('good to see you'),
      )
      assert.deepEqual(rung.content['m.mentions'], { user_ids: [alice.userId] })
      await alice.send(roomId, {
        ...{ msgtype: 'm.text', body: 'Bob: likewise', format: 'org.matrix.custom.html' },
        formatted_body: `<a href="https://matrix.to/#/${rung.sender}">Some Bob</a>: likewise`,
      })
      await bobReads(`${bob.nick}: likewise`)
    })
  }

  journey(
    'a picture is a link that works without an account; a long text is a link to the rest',
    async () => {
      await using s = await stage.scene('rich', 'files', 'puppets')
      const { alice, bob, roomId } = s
      const url = await alice.upload(PNG, 'image/png')
      await alice.send(roomId, { msgtype: 'm.image', body: 'map.png', url, info: { size: PNG.length } })
      const line = await bob.waitFor('message', (data) => String(data['message']).startsWith('map.png'))
      const link = /https?:\/\/\S+/.exec(String(line['message']))?.[0]
      assert.ok(link !== undefined)
      const fetched = await fetch(link)
      assert.equal(fetched.headers.get('content-type'), 'image/png')
      assert.deepEqual(new Uint8Array(await fetched.arrayBuffer()), PNG)
      const forged = await fetch(
        link.replace(/media\/./, (part) => (part.endsWith('A') ? 'media/B' : 'media/A')),
      )
      assert.equal(forged.status, 404)

      const long = Array.from({ length: 12 }, (_, index) => `line number ${index}`).join('\n')
      await alice.say(roomId, long)
      const paste = await bob.waitFor('message', (data) =>
        String(data['message']).startsWith('line number 0'),
      )
      const rest = /https?:\/\/\S+/.exec(String(paste['message']))?.[0]
      assert.equal(await (await fetch(rest!)).text(), long)
      const three = 'word '.repeat(200).trim()
      await alice.say(roomId, three)
      const end = await bob.waitFor(
        'message',
        () => bob.texts(s.channel).filter((text) => text.includes('word word')).length >= 3,
      )
      assert.ok(end !== undefined)
      const lines = bob.texts(s.channel).filter((text) => text.includes('word word'))
      assert.equal(lines.map((text) => text.slice(text.indexOf(': ') + 2)).join(' '), three)
    },
  )
})
