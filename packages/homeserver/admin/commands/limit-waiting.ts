import { Type } from 'typebox'
import { defineAdminCommand } from '../command.ts'
import { nameOf } from '../limit-target.ts'

const MOST = 100

export const command = defineAdminCommand({
  usage: '',
  summary: `List who is held back by a limit now, those with the longest wait first, at most ${MOST}`,
  input: Type.Object({}),
  run: async (hs) =>
    hs.limiter.heldBack(MOST).map((one) => ({
      action: one.action,
      of: nameOf(one),
      wait_seconds: Math.ceil(one.waitMs / 100) / 10,
    })),
})
