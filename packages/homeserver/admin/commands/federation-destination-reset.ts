import { Type } from 'typebox'
import { defineAdminCommand } from '../command.ts'
import { readServerName, serverOption } from '../destination-view.ts'

export const command = defineAdminCommand({
  usage: '<server>',
  summary: 'Forget that a server did not answer: the next request to it is tried at once',
  input: Type.Object({ server: serverOption }),
  run: async (hs, { server }) => {
    const name = readServerName(server)
    const before = await hs.federation.destinations.find(name)
    hs.federation.client.heardFrom(name)
    hs.federation.discovery.forget(name)
    return { server: name, was_failing: before !== undefined }
  },
})
