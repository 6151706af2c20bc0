// The ADBC driver for Go, as a library and below database/sql: `go-client grpc://HOST:PORT`.
//
// Prints a line for each check and ends with the list of those that failed. Unlike Python's
// cursors, which are the same driver behind a C interface, Go programs run statements without
// preparing them and ask for schemas alone.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	_ "github.com/apache/arrow-adbc/go/adbc/sqldriver/flightsql"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const endless = "SELECT value FROM generate_series(1, 1000000000000)"

var failures []string

func check(name string, body func() error) {
	if err := body(); err != nil {
		failures = append(failures, fmt.Sprintf("%s: %v", name, err))
		fmt.Printf("FAIL %s: %v\n", name, err)
		return
	}
	fmt.Println("ok  ", name)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	uri := os.Args[1]
	check("the driver as a library", func() error { return library(ctx, uri) })
	check("database/sql", func() error { return standard(ctx, uri) })
	for _, failure := range failures {
		fmt.Println("  " + failure)
	}
	if len(failures) > 0 {
		os.Exit(1)
	}
}

func library(ctx context.Context, uri string) error {
	database, err := flightsql.NewDriver(memory.DefaultAllocator).NewDatabase(map[string]string{adbc.OptionKeyURI: uri})
	if err != nil {
		return err
	}
	defer database.Close()
	db, err := database.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()

	check("a query without preparing it", func() error {
		rows, err := count(ctx, db, "SELECT value FROM generate_series(1, 100000)")
		return same(err, int64(100_000), rows)
	})
	check("a million lines", func() error {
		rows, err := count(ctx, db, "SELECT 'line ' || value FROM generate_series(1, 1000000)")
		return same(err, int64(1_000_000), rows)
	})
	check("a schema without running the query", func() error {
		statement, err := prepared(db, endless, false)
		if err != nil {
			return err
		}
		defer statement.Close()
		schema, err := statement.(adbc.StatementExecuteSchema).ExecuteSchema(ctx)
		if err != nil {
			return err
		}
		return same(nil, "value", schema.Field(0).Name)
	})
	check("effects and their count", func() error {
		if _, err := update(ctx, db, "CREATE TABLE go_client (id BIGINT, message VARCHAR)"); err != nil {
			return err
		}
		rows, err := update(ctx, db, "INSERT INTO go_client VALUES (1, 'one'), (2, NULL)")
		return same(err, int64(2), rows)
	})
	check("bound parameters", func() error { return bound(ctx, db) })
	check("a table's schema", func() error {
		schema, err := db.GetTableSchema(ctx, nil, nil, "go_client")
		if err != nil {
			return err
		}
		return same(nil, "id message", schema.Field(0).Name+" "+schema.Field(1).Name)
	})
	check("objects", func() error {
		reader, err := db.GetObjects(ctx, adbc.ObjectDepthAll, nil, nil, nil, nil, nil)
		if err != nil {
			return err
		}
		defer reader.Release()
		for reader.Next() {
		}
		return reader.Err()
	})
	check("table types", func() error {
		reader, err := db.GetTableTypes(ctx)
		if err != nil {
			return err
		}
		defer reader.Release()
		return same(nil, true, reader.Next())
	})
	check("what the server is", func() error {
		reader, err := db.GetInfo(ctx, []adbc.InfoCode{adbc.InfoVendorName, adbc.InfoVendorVersion})
		if err != nil {
			return err
		}
		defer reader.Release()
		return same(nil, true, reader.Next())
	})
	check("an error names the thing and is an invalid argument", func() error {
		_, err := count(ctx, db, "SELECT no_such_column FROM go_client")
		failure, ok := err.(adbc.Error)
		if !ok || failure.Code != adbc.StatusInvalidArgument || !strings.Contains(failure.Msg, "no_such_column") {
			return fmt.Errorf("found %v", err)
		}
		return nil
	})
	check("a cancelled context ends the query", func() error {
		limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		if _, err := count(limited, db, endless); err == nil {
			return fmt.Errorf("an endless query ended")
		}
		rows, err := count(ctx, db, "SELECT 1")
		return same(err, int64(1), rows)
	})
	check("partitions", func() error { return partitions(ctx, db) })
	check("a table goes", func() error {
		_, err := update(ctx, db, "DROP TABLE go_client")
		return err
	})
	return nil
}

func bound(ctx context.Context, db adbc.Connection) error {
	statement, err := prepared(db, "SELECT message FROM go_client WHERE id = ?", true)
	if err != nil {
		return err
	}
	defer statement.Close()
	builder := array.NewInt64Builder(memory.DefaultAllocator)
	defer builder.Release()
	builder.Append(1)
	values := builder.NewArray()
	defer values.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "anything", Type: arrow.PrimitiveTypes.Int64}}, nil)
	record := array.NewRecord(schema, []arrow.Array{values}, 1)
	defer record.Release()
	if err := statement.Bind(ctx, record); err != nil {
		return err
	}
	reader, _, err := statement.ExecuteQuery(ctx)
	if err != nil {
		return err
	}
	defer reader.Release()
	if !reader.Next() {
		return fmt.Errorf("no row: %v", reader.Err())
	}
	return same(nil, "one", reader.Record().Column(0).ValueStr(0))
}

func partitions(ctx context.Context, db adbc.Connection) error {
	statement, err := prepared(db, "SELECT value FROM generate_series(1, 1000)", false)
	if err != nil {
		return err
	}
	defer statement.Close()
	_, parts, _, err := statement.ExecutePartitions(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, id := range parts.PartitionIDs {
		reader, err := db.ReadPartition(ctx, id)
		if err != nil {
			return err
		}
		for reader.Next() {
			total += reader.Record().NumRows()
		}
		reader.Release()
	}
	return same(nil, int64(1000), total)
}

func standard(ctx context.Context, uri string) error {
	db, err := sql.Open("flightsql", "uri="+uri)
	if err != nil {
		return err
	}
	defer db.Close()
	check("database/sql: Ping", func() error { return db.PingContext(ctx) })
	check("database/sql: a prepared query", func() error {
		statement, err := db.PrepareContext(ctx, "SELECT CAST(? AS BIGINT) + 1")
		if err != nil {
			return err
		}
		defer statement.Close()
		var found int64
		err = statement.QueryRowContext(ctx, int64(41)).Scan(&found)
		return same(err, int64(42), found)
	})
	check("database/sql: rows", func() error {
		rows, err := db.QueryContext(ctx, "SELECT value, 'line ' || value, NULL FROM generate_series(1, 10000)")
		if err != nil {
			return err
		}
		defer rows.Close()
		total := 0
		for rows.Next() {
			var number int64
			var line string
			var nothing sql.NullString
			if err := rows.Scan(&number, &line, &nothing); err != nil {
				return err
			}
			total++
		}
		return same(rows.Err(), 10_000, total)
	})
	return nil
}

func prepared(db adbc.Connection, query string, prepare bool) (adbc.Statement, error) {
	statement, err := db.NewStatement()
	if err != nil {
		return nil, err
	}
	err = statement.SetSqlQuery(query)
	if err == nil && prepare {
		err = statement.Prepare(context.Background())
	}
	if err != nil {
		statement.Close()
		return nil, err
	}
	return statement, nil
}

func count(ctx context.Context, db adbc.Connection, query string) (int64, error) {
	statement, err := prepared(db, query, false)
	if err != nil {
		return 0, err
	}
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	if err != nil {
		return 0, err
	}
	defer reader.Release()
	rows := int64(0)
	for reader.Next() {
		rows += reader.Record().NumRows()
	}
	return rows, reader.Err()
}

func update(ctx context.Context, db adbc.Connection, query string) (int64, error) {
	statement, err := prepared(db, query, false)
	if err != nil {
		return 0, err
	}
	defer statement.Close()
	return statement.ExecuteUpdate(ctx)
}

func same[T comparable](err error, wanted, found T) error {
	if err != nil {
		return err
	}
	if wanted != found {
		return fmt.Errorf("wanted %v, found %v", wanted, found)
	}
	return nil
}
