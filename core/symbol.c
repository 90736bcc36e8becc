// SPDX-License-Identifier: Apache-2.0
#include "symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(Elf64_Sym) == 3 * sizeof(uint64_t), "of the chunk");

enum {
	SECTIONS_MAX = 1024,
	SEGMENTS_MAX = 64,
	TABLE_HEAD_BYTES =
		12, /* of .eh_frame_hdr: where .eh_frame is, and how many entries it has */
};

/* An open file of a module. */
struct image {
	int fd;
	uintptr_t bias; /* from its addresses to ours */
	Elf64_Ehdr header;
};

static bool read_at(const struct image *image, void *buf, size_t len, uint64_t at)
{
	return pread(image->fd, buf, len, (off_t)at) == (ssize_t)len;
}

static bool section_read(const struct image *image, unsigned index, Elf64_Shdr *ret_section)
{
	return index < image->header.e_shnum &&
		read_at(image, ret_section, sizeof *ret_section,
			image->header.e_shoff + (uint64_t)index * sizeof *ret_section);
}

static bool is_readable(const struct image *image)
{
	return memcmp(image->header.e_ident, ELFMAG, SELFMAG) == 0 &&
		image->header.e_ident[EI_CLASS] == ELFCLASS64 &&
		image->header.e_shentsize == sizeof(Elf64_Shdr) &&
		image->header.e_phentsize == sizeof(Elf64_Phdr) &&
		image->header.e_shnum <= SECTIONS_MAX && image->header.e_phnum <= SEGMENTS_MAX;
}

/* Whether the unwind table begins as the one in memory. */
static bool has_table_of(const struct image *image, const struct dl_find_object *found)
{
	char head[TABLE_HEAD_BYTES];
	Elf64_Phdr segment;

	for (unsigned i = 0; i < image->header.e_phnum; i++) {
		if (!read_at(image, &segment, sizeof segment,
			    image->header.e_phoff + (uint64_t)i * sizeof segment))
			return false;
		if (segment.p_type == PT_GNU_EH_FRAME)
			return image->bias + segment.p_vaddr == (uintptr_t)found->dlfo_eh_frame &&
				read_at(image, head, sizeof head, segment.p_offset) &&
				memcmp(head, found->dlfo_eh_frame, sizeof head) == 0;
	}
	return false;
}

/*
 * Whether the file is still the one that was loaded: programs are replaced while they run. Mostly
 * the map begins with the file's header. Of a program whose segments have gaps between them, as
 * some linkers leave them, only the part with the code is known, and its unwind table is compared.
 */
static bool is_same(const struct image *image, const struct dl_find_object *found)
{
	return is_readable(image) &&
		(memcmp(&image->header, found->dlfo_map_start, sizeof image->header) == 0 ||
			has_table_of(image, found));
}

static bool image_open(struct image *image, const struct dl_find_object *found)
{
	const char *path = found->dlfo_link_map->l_name;

	image->bias = found->dlfo_link_map->l_addr;
	/* The program itself has no name there. */
	image->fd = open(path[0] ? path : "/proc/self/exe", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (image->fd < 0)
		return false;
	if (read_at(image, &image->header, sizeof image->header, 0) && is_same(image, found))
		return true;
	(void)close(image->fd);
	return false;
}

/* The full table if there is one, or what the dynamic linker needs, for a stripped file. */
static bool table_find(const struct image *image, Elf64_Shdr *ret_table)
{
	Elf64_Shdr section;
	bool is_found = false;

	for (unsigned i = 0; section_read(image, i, &section); i++) {
		if (section.sh_entsize != sizeof(Elf64_Sym))
			continue;
		if (section.sh_type == SHT_SYMTAB) {
			*ret_table = section;
			return true;
		}
		if (section.sh_type == SHT_DYNSYM) {
			*ret_table = section;
			is_found = true;
		}
	}
	return is_found;
}

static bool is_around(const Elf64_Sym *symbol, uint64_t at)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF &&
		at >= symbol->st_value && at - symbol->st_value < symbol->st_size;
}

/* Searches a table for the function around the file's address `at`. */
static bool table_search(const struct image *image, const Elf64_Shdr *table, uint64_t at,
	uint64_t *chunk, Elf64_Sym *ret_symbol)
{
	uint64_t left = table->sh_size / sizeof(Elf64_Sym), from = table->sh_offset;

	while (left > 0) {
		uint64_t count = left < SOON__SYMBOLS_CHUNK ? left : SOON__SYMBOLS_CHUNK;

		if (!read_at(image, chunk, count * sizeof(Elf64_Sym), from))
			return false;
		for (uint64_t i = 0; i < count; i++) {
			memcpy(ret_symbol, chunk + 3 * i, sizeof *ret_symbol);
			if (is_around(ret_symbol, at))
				return true;
		}
		left -= count;
		from += count * sizeof(Elf64_Sym);
	}
	return false;
}

static void name_read(const struct image *image, const Elf64_Shdr *table, const Elf64_Sym *found,
	struct soon__symbol *symbol)
{
	Elf64_Shdr strings;
	ssize_t len;

	if (!section_read(image, table->sh_link, &strings) || found->st_name >= strings.sh_size)
		return;
	/* What follows the name comes along, and is cut off by the name's own end. */
	len = pread(image->fd, symbol->name, sizeof symbol->name - 1,
		(off_t)(strings.sh_offset + found->st_name));
	symbol->name[len > 0 ? len : 0] = '\0';
	/* What the compiler makes of a function, f.isra.0 and the like, is f to the reader. */
	symbol->name[strcspn(symbol->name, ".")] = '\0';
}

static void look_up(struct soon__symbols *symbols, uintptr_t at, struct soon__symbol *symbol)
{
	struct dl_find_object found;
	struct image image;
	Elf64_Shdr table;
	Elf64_Sym sym;
	const char *path;

	symbol->name[0] = '\0';
	symbol->module = NULL;
	symbol->offset = 0;
	if (_dl_find_object((void *)at, &found) != 0)
		return;
	path = found.dlfo_link_map->l_name;
	symbol->module = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	symbol->offset = symbol->pc - found.dlfo_link_map->l_addr;
	if (!image_open(&image, &found))
		return;
	if (table_find(&image, &table) &&
		table_search(&image, &table, at - image.bias, symbols->chunk, &sym)) {
		name_read(&image, &table, &sym, symbol);
		if (symbol->name[0])
			symbol->offset -= sym.st_value;
	}
	(void)close(image.fd);
}

void soon__symbols_reset(struct soon__symbols *symbols)
{
	for (unsigned i = 0; i < SOON__SYMBOLS_KEPT; i++)
		symbols->kept[i].pc = 0;
}

const struct soon__symbol *soon__symbol_find(
	struct soon__symbols *symbols, uintptr_t pc, bool is_return)
{
	struct soon__symbol *symbol = &symbols->kept[pc / 4 % SOON__SYMBOLS_KEPT];

	if (symbol->pc != pc) {
		symbol->pc = pc;
		/* A call may be a function's last instruction: what follows is another's. */
		look_up(symbols, is_return ? pc - 1 : pc, symbol);
	}
	return symbol;
}

void soon__text_symbol(struct soon__text *text, const struct soon__symbol *symbol)
{
	if (!symbol->module) {
		soon__text_str(text, "?");
		return;
	}
	if (symbol->name[0])
		soon__text_str(text, symbol->name);
	else
		soon__text_str(text, "?");
	soon__text_str(text, "+");
	soon__text_hex(text, symbol->offset);
	if (symbol->module[0]) {
		soon__text_str(text, " (");
		soon__text_str(text, symbol->module);
		soon__text_str(text, ")");
	}
}
