import { Type } from 'typebox'
import { resetLimit } from '../../limits/adjusted-limits.ts'
import { defineAdminCommand } from '../command.ts'
import { limitTarget, nameOf, readLimitTarget } from '../limit-target.ts'

export const command = defineAdminCommand({
  usage: '<action>',
  summary: 'Have the limit of the configuration hold again, for everybody or for one of them',
  input: Type.Object(limitTarget),
  run: async (hs, target) => {
    const key = readLimitTarget(hs, target)
    await resetLimit(hs, key)
    return { action: key.action, of: nameOf(key) }
  },
})
