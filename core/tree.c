// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <soon/dump.h>

#include "core.h"
#include "describe.h"
#include "origin.h"

enum { INDENT = 2 };

static const char *source_name(uint8_t source)
{
	static const char *const names[] = {
		[SOON_CANCEL_NONE] = "nobody",
		[SOON_CANCEL_EXPLICIT] = "explicit",
		[SOON_CANCEL_DEADLINE] = "deadline",
		[SOON_CANCEL_SIBLING] = "sibling",
		[SOON_CANCEL_PARENT_EXIT] = "parent exit",
		[SOON_CANCEL_DRAIN] = "drain",
		[SOON_CANCEL_SHUTDOWN] = "shutdown",
		[SOON_CANCEL_SIGNAL] = "signal",
		[SOON_CANCEL_DEADLOCK] = "deadlock",
	};

	return source < sizeof names / sizeof names[0] ? names[source] : NULL;
}

static void put_cancel(struct soon__text *text, const struct soon__scope *scope)
{
	if (scope->own & SOON__CANCELLED) {
		soon__text_str(text, ", cancelled by ");
		soon__text_str(text, source_name(scope->source));
		if (scope->why) {
			soon__text_str(text, ": ");
			soon__text_str(text, scope->why);
		}
		if (scope->why_site) {
			soon__text_str(text, " at ");
			soon__text_site(text, scope->why_site);
		}
	} else if (scope->state & SOON__CANCELLED) {
		soon__text_str(text, ", cancelled from outside");
	} else if (scope->state & SOON__DRAINING) {
		soon__text_str(text, ", draining");
	}
}

static void put_scope_facts(struct soon__tree *tree, const struct soon__scope *scope)
{
	struct soon__text *text = tree->text;
	soon_ns now = tree->now;

	if (scope->site) {
		soon__text_str(text, ", opened at ");
		soon__text_site(text, scope->site);
	}
	if (scope->is_shielded)
		soon__text_str(text,
			scope->deadline == SOON_NEVER ? ", shielded without end" : ", shielded");
	if (scope->deadline != SOON_NEVER) {
		soon__text_str(text, scope->is_deadline_of_drain ? ", grace ends " : ", deadline ");
		if (scope->deadline > now)
			soon__text_str(text, "in ");
		soon__text_duration(text,
			scope->deadline > now ? scope->deadline - now : now - scope->deadline);
		if (scope->deadline <= now)
			soon__text_str(text, " ago");
	}
	put_cancel(text, scope);
	soon__text_end_line(text);
}

static void indent_line(struct soon__tree *tree, const struct soon__walk *walk, unsigned more)
{
	soon__text_spaces(tree->text, (walk->depth + more) * INDENT);
}

static void put_group(struct soon__tree *tree, const struct soon__walk *walk)
{
	static const char *const policies[] = {
		[SOON_FAIL_FAST] = ": fail fast, ",
		[SOON_WAIT_ALL] = ": wait all, ",
		[SOON_SUPERVISE] = ": supervise, ",
		[SOON_FIRST_OK] = ": first ok, ",
	};
	const struct soon__group *group = walk->group;
	struct soon__text *text = tree->text;

	if (walk->depth > 0 &&
		(tree->is_skipping || (tree->is_cancelled_only && group->scope.state == 0)))
		return;
	indent_line(tree, walk, 0);
	soon__text_str(text, "group '");
	soon__text_str(text, group->name);
	soon__text_str(text, "'");
	soon__text_str(text, policies[group->policy % 4]);
	soon__text_uint(text, group->live_count);
	soon__text_str(text, " live");
	if (group->state == SOON__GROUP_CLOSING)
		soon__text_str(text, ", closing");
	if (group->first_rc < 0) {
		soon__text_str(text, ", failed with ");
		soon__text_errno(text, group->first_rc);
	}
	put_scope_facts(tree, &group->scope);
}

static void put_scope(struct soon__tree *tree, const struct soon__walk *walk)
{
	const struct soon__scope *scope = walk->scope;

	tree->scopes_depth = walk->depth + 1;
	if (tree->is_skipping || ++tree->scopes > SOON_DUMP_SCOPES_MAX)
		return;
	indent_line(tree, walk, 1);
	soon__text_str(tree->text, "scope");
	if (scope->site) {
		soon__text_str(tree->text, " '");
		soon__text_str(tree->text, scope->site->what);
		soon__text_str(tree->text, "'");
	}
	put_scope_facts(tree, scope);
}

/* The scopes of a task that were too many, once all have been seen. */
static void end_scopes(struct soon__tree *tree)
{
	if (tree->scopes > SOON_DUMP_SCOPES_MAX) {
		soon__text_spaces(tree->text, tree->scopes_depth * INDENT);
		soon__text_uint(tree->text, tree->scopes - SOON_DUMP_SCOPES_MAX);
		soon__text_str(tree->text, " more scopes");
		soon__text_end_line(tree->text);
	}
	tree->scopes = 0;
}

static void put_task(struct soon__tree *tree, const struct soon__walk *walk)
{
	const soon_task *task = walk->task;
	struct soon__text *text = tree->text;

	tree->is_skipping = true;
	if (tree->is_cancelled_only && !soon__task_is_cancelled(task))
		return;
	if (tree->listed == tree->tasks_max) {
		tree->left_out++;
		return;
	}
	tree->is_skipping = false;
	tree->listed++;
	indent_line(tree, walk, 0);
	soon__text_task_name(text, task);
	soon__text_str(text, ": ");
	soon__text_task_state(text, task);
	soon__text_str(text, ", age ");
	soon__text_duration(text, tree->now - task->born_at);
	soon__text_str(text, ", spawned at ");
	soon__text_site(text, task->site);
	soon__text_origin(text, task);
	soon__text_end_line(text);
	if (tree->below)
		tree->below(tree->data, task, (walk->depth + 2) * INDENT);
}

void soon__tree_put(struct soon__tree *tree, const soon_core *core)
{
	enum soon__walk_step step;
	struct soon__walk walk;

	soon__walk_begin(&walk, core);
	while ((step = soon__walk_next(&walk)) != SOON__WALK_END) {
		if (step == SOON__WALK_SCOPE) {
			put_scope(tree, &walk);
			continue;
		}
		end_scopes(tree);
		if (step == SOON__WALK_GROUP)
			put_group(tree, &walk);
		else
			put_task(tree, &walk);
	}
	end_scopes(tree);
	if (walk.is_damaged) {
		soon__text_str(tree->text, "what comes here is damaged");
		soon__text_end_line(tree->text);
	}
	if (tree->left_out > 0) {
		soon__text_uint(tree->text, tree->left_out);
		soon__text_str(tree->text, " more tasks: SOON_DUMP_ALL lists them");
		soon__text_end_line(tree->text);
	}
}
