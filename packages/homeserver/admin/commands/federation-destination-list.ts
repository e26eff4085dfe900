import { Type } from 'typebox'
import { listFailingDestinations } from '@causeway/store/tables/destinations.ts'
import { defineAdminCommand } from '../command.ts'
import { viewDestination } from '../destination-view.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'List the servers that did not answer when they were last asked',
  input: Type.Object({
    after: Type.Optional(Type.String({ description: 'Only names that come after this one' })),
    limit: Type.Optional(Type.Integer({ description: 'How many', minimum: 1, maximum: 1000, default: 100 })),
  }),
  run: async (hs, { after = '', limit = 100 }) =>
    (await listFailingDestinations(hs.db, after, limit)).map(viewDestination),
})
