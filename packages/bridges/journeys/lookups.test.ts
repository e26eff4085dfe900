import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { describeJourneys } from './scene.ts'

describeJourneys('looking up', { only: 'Causeway' }, (stage) => {
  const { journey } = stage
  journey('people find channels by the rooms that lead to them, and who is behind a nick', async () => {
    await using scene = await stage.scene('rich', 'lookup', '', () => ({
      preset: 'public_chat',
      room_alias_name: 'lookup-room',
    }))
    const { alice, bob, roomId, channel } = scene
    const ask = (path: string): Promise<JsonObject> => alice.user.call('GET', `/thirdparty/${path}`)
    const protocol = await ask('protocol/irc')
    assert.deepEqual(protocol['location_fields'], ['network', 'channel'])
    const instances = protocol['instances'] as JsonObject[]
    assert.ok(instances.some(({ network_id: id }) => id === 'rich'))
    const alias = `#lookup-room:${alice.userId.slice(alice.userId.indexOf(':') + 1)}`
    const rooms = [{ alias, protocol: 'irc', fields: { network: 'rich', channel } }]
    const where = `location/irc?network=rich&channel=${encodeURIComponent(channel.toUpperCase())}`
    assert.deepEqual(await ask(where), rooms)
    bob.say(channel, 'here I am')
    const { sender } = await alice.waitForText(roomId, 'here I am')
    const people = [{ userid: sender, protocol: 'irc', fields: { network: 'rich', nickname: bob.nick } }]
    assert.deepEqual(await ask(`user/irc?network=rich&nickname=${bob.nick.toUpperCase()}`), people)
    assert.deepEqual(await ask(`location?alias=${encodeURIComponent(alias)}`), rooms)
    assert.deepEqual(await ask(`user?userid=${encodeURIComponent(sender)}`), people)
    await assert.rejects(ask('location/irc?channel=%23elsewhere'), /M_NOT_FOUND/)
  })

  journey('what is behind a room that not everybody may enter is not told', async () => {
    await using scene = await stage.scene('rich', 'hidden', '', () => ({
      preset: 'private_chat',
      room_alias_name: 'hidden-room',
    }))
    const where = `location/irc?network=rich&channel=${encodeURIComponent(scene.channel)}`
    await assert.rejects(scene.alice.user.call('GET', `/thirdparty/${where}`), /M_NOT_FOUND/)
  })
})
